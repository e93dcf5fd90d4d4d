/**
 * Sets an entry of a map that remembers what was set last: the entry becomes the newest one, and of
 * more than `max` the one that was set longest ago is forgotten.
 */
export function setNewest<K, V>(map: Map<K, V>, key: K, value: V, max: number): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= max) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    return;
  }
}
