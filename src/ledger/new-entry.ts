import type { Conversion } from './conversion.ts'
import type { Posting } from './entry.ts'
import type { TemplateRef } from './template.ts'

/** An entry that was decided on and is to be written. */
export type NewEntry = {
  /** Its id: a pure function of whose it is and its source. */
  readonly entry: string
  readonly source: string
  readonly purpose: string
  readonly postings: readonly Posting[]
  /** Unix milliseconds. */
  readonly effectiveAt: number
  readonly fingerprint: string
  /** Source of the entry that it undoes. */
  readonly reverses: string | undefined
  readonly hold: string | undefined
  readonly conversion: Conversion | undefined
  readonly template: TemplateRef | undefined
}
