/**
 * Sets an entry in a map that is ordered by when each entry was last set. If the map then holds
 * more than `max` entries, the one set longest ago is removed.
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
