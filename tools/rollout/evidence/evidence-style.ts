/** On a screen and on paper: nothing is scrolled, cut or told by colour alone when it is printed. */
export const STYLE = `
:root { color-scheme: light dark; --line: #8884; --good: #1a7f37; --bad: #cf222e; --doubt: #9a6700 }
@media (prefers-color-scheme: dark) { :root { --good: #4ac26b; --bad: #ff7b72; --doubt: #d4a72c } }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 }
main { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { margin: 0 } h2 { margin: 0 0 .5rem } h3 { margin: 1.2rem 0 .3rem; font-size: 1rem }
code, pre, time { font-family: ui-monospace, monospace; font-size: .85em }
code { overflow-wrap: anywhere }
pre { overflow: auto; max-height: 20rem; padding: .5rem; border: 1px solid var(--line); margin: .3rem 0; white-space: pre-wrap; overflow-wrap: anywhere }
time, .hash, .note, .legend { color: #777 }
.note, .legend { font-size: .85em }
.rollout { border-top: 2px solid; margin-top: 2rem; padding-top: 1rem }
.outcome { font-size: 1.2rem; font-weight: 600; border-left: .4rem solid; padding: .3rem .8rem; margin: .5rem 0 }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: .5rem 0 }
dt { font-weight: 600 } dd { margin: 0 }
.timeline { width: 100%; height: auto; font-size: 12px }
.timeline line { stroke: var(--line) }
.timeline text { fill: currentColor }
.timeline rect { fill: currentColor; opacity: .55 }
.timeline circle { fill: currentColor; stroke: Canvas; stroke-width: 1.5 }
.legend { margin: 0 }
.records { list-style: none; padding: 0; margin: 0 }
.records > li { border-top: 1px solid var(--line); padding: .15rem 0; break-inside: avoid }
summary { cursor: pointer }
table { border-collapse: collapse; width: 100%; margin: .3rem 0 }
th, td { text-align: left; vertical-align: top; padding: .15rem .6rem .15rem 0; border-bottom: 1px solid var(--line) }
td:first-child { white-space: nowrap }
tr { break-inside: avoid }
.pass { color: var(--good) } .fail { color: var(--bad) } .inconclusive { color: var(--doubt) }
@media print {
  :root { color-scheme: light; --good: #1a7f37; --bad: #cf222e; --doubt: #9a6700 }
  body { font-size: 11px } main { max-width: none; margin: 0; padding: 0 }
  pre { max-height: none }
  .rollout + .rollout { break-before: page; border: 0 }
  h2, h3 { break-after: avoid }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact }
}
`;
