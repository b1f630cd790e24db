/** What the door knows of a request it has accepted. */
export type Remembered = {
  readonly fingerprint: string
  /** Reasons, where the risk rules refused it. */
  readonly rejected: readonly string[] | undefined
}

const REMEMBERED_MAX = 50_000

/** The payments accepted last, by this process: answers a quick repetition before the log has been read. */
export function createMemory() {
  const known = new Map<string, Remembered>()
  return {
    find: (id: string, tenant: string, mode: string): Remembered | undefined => known.get(`${tenant}/${mode}/${id}`),
    remember(id: string, tenant: string, mode: string, remembered: Remembered): void {
      const name = `${tenant}/${mode}/${id}`
      if (!known.has(name)) known.set(name, remembered)
      if (known.size <= REMEMBERED_MAX) return
      const [oldest] = known.keys()
      if (oldest !== undefined) known.delete(oldest)
    },
  }
}
