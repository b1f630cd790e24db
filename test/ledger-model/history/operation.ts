/**
 * One thing that a client asked for, and what it was told. An object is an account; what is in it is the sum of the
 * amounts that operations have added, each of which is a power of two of its own: so a value that was read tells which
 * of them had been added, and which had not.
 */
export type Operation = {
  readonly name: string
  /** Instants of one clock: it was under way between them. */
  readonly askedAt: number
  readonly answeredAt: number
  /** What it saw, all of it at one moment. */
  readonly reads: readonly { readonly object: string; readonly value: bigint }[]
  /** What it has added, if it was done; each amount is added once to its object, or never. */
  readonly adds: readonly { readonly object: string; readonly amount: bigint }[]
  /** Whether it was told that it is done, that it is refused, or nothing. */
  readonly outcome: 'done' | 'refused' | 'unknown'
}
