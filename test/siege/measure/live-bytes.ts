import WebSocket from "ws";

/** Node opens its inspector on a separate port and prints it. */
export const INSPECTOR = { NODE_OPTIONS: "--inspect=127.0.0.1:0" } as const;

const LISTENING = /^Debugger listening on (ws:\S+)/;
const ANSWER_TIMEOUT_MS = 15_000;
/** Objects with finalizers need a second collection. */
const COLLECTIONS = 2;

/** The memory of a process after a garbage collection: heap and buffers. */
export async function measureLiveBytes(output: readonly string[]): Promise<number> {
  const url = output.flatMap((line) => LISTENING.exec(line)?.[1] ?? []).at(-1);
  if (url === undefined) throw new Error("the inspector of the service was not opened");
  const inspector = await connect(url);
  try {
    for (let round = 0; round < COLLECTIONS; round++) {
      await inspector.ask("HeapProfiler.collectGarbage");
    }
    const answer = await inspector.ask("Runtime.evaluate", {
      expression: "(({ heapUsed, external }) => heapUsed + external)(process.memoryUsage())",
      returnByValue: true,
    });
    return answer.result.result.value;
  } finally {
    inspector.close();
  }
}

/** Whether a line of a service's output is about the inspector. */
export function isAboutInspector(line: string): boolean {
  return /^(Debugger |For help, see: https:\/\/nodejs\.org\/)/.test(line);
}

type Answer = { id: number; result: { result: { value: number } } };

async function connect(url: string) {
  const socket = new WebSocket(url, { handshakeTimeout: ANSWER_TIMEOUT_MS });
  await new Promise<void>((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", reject);
  });
  let ids = 0;
  return {
    ask(method: string, params: object = {}): Promise<Answer> {
      ids += 1;
      const id = ids;
      socket.send(JSON.stringify({ id, method, params }));
      return new Promise((resolve, reject) => {
        const settle = (finish: () => void) => {
          clearTimeout(timer);
          socket.off("message", look);
          finish();
        };
        const look = (data: WebSocket.RawData) => {
          const answer: Answer = JSON.parse(String(data));
          if (answer.id === id) settle(() => resolve(answer));
        };
        const timer = setTimeout(() => {
          settle(() => reject(new Error(`the inspector did not answer ${method}`)));
        }, ANSWER_TIMEOUT_MS);
        socket.on("message", look);
      });
    },
    close: () => socket.terminate(),
  };
}
