type Entry = { rows: number; first: number | undefined }

/**
 * Which keys wait in a file: some 130 bytes of memory for each. A key counts from before its row is written, so that
 * whatever comes after it follows it.
 */
export function createKeyIndex() {
  const entries = new Map<string, Entry>()
  return {
    has: (key: string): boolean => entries.has(key),
    /** The first row of the key, while that waits. */
    first: (key: string): number | undefined => entries.get(key)?.first,
    begin(keys: readonly string[]): void {
      for (const key of keys) {
        const entry = entries.get(key)
        if (entry) entry.rows += 1
        else entries.set(key, { rows: 1, first: undefined })
      }
    },
    /** The row of keys that were begun is written. */
    place(keys: readonly string[], sequence: number): void {
      for (const key of keys) {
        const entry = entries.get(key)
        if (entry) entry.first ??= sequence
      }
    },
    /** The row is gone, or was never written. */
    end(keys: readonly string[], sequence?: number): void {
      for (const key of keys) {
        const entry = entries.get(key)
        if (!entry) continue
        entry.rows -= 1
        if (entry.first === sequence) entry.first = undefined
        if (entry.rows === 0) entries.delete(key)
      }
    },
  }
}

export type KeyIndex = ReturnType<typeof createKeyIndex>
