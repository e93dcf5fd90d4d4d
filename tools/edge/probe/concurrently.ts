/** Maps items with at most `concurrencyMax` under way at once; results keep their order. */
export async function mapConcurrently<T, R>(
  items: readonly T[],
  concurrencyMax: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const queue = items.map((item, index) => ({ item, index })).reverse();
  const results: { index: number; result: R }[] = [];
  const worker = async () => {
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      results.push({ index: next.index, result: await work(next.item) });
    }
  };
  await Promise.all(Array.from({ length: concurrencyMax }, worker));
  return results.sort((a, b) => a.index - b.index).map(({ result }) => result);
}
