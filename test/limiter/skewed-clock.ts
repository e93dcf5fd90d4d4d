// Loaded into a limiter before anything else: its own clock is wrong by CLOCK_SKEW_MS.
const skewMs = Number(process.env["CLOCK_SKEW_MS"]);
const now = Date.now;
Date.now = () => now() + skewMs;
