import type { LedgerRefusal } from './command.ts'

/** Ends the decision of one command, within the module: outside of it a refusal is an outcome. */
export class Refused extends Error {
  readonly refusal: LedgerRefusal
  constructor(refusal: LedgerRefusal) {
    super(refusal.code)
    this.refusal = refusal
  }
}
