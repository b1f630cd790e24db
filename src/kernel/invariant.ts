/** A bug of ours, found at run time. A consumer parks the event that met it. */
export class InvariantViolation extends Error {
  override name = 'InvariantViolation'
}

export function invariant(condition: unknown, claim: string): asserts condition {
  if (!condition) throw new InvariantViolation(claim)
}

/** The end of an exhaustive switch: does not compile while a case is missing. */
export function unreachable(value: never): never {
  throw new InvariantViolation(`unreachable: ${JSON.stringify(value)}`)
}
