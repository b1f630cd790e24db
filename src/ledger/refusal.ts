import { Refusal, type RefusalCode } from '#kernel/errors'
import type { LedgerRefusal } from './command.ts'

const codes: Partial<Record<LedgerRefusal['code'], RefusalCode>> = {
  entry_unknown: 'entry_not_found',
  hold_unknown: 'hold_not_found',
  schedule_unknown: 'schedule_not_found',
}

/** The refusal as callers get it: what there is, and what would be needed, beside the code. */
export function refusalOf(refusal: LedgerRefusal): Refusal {
  const { code, ...about } = refusal
  const members = Object.entries(about).map(([name, value]): [string, string] => {
    return [name === 'closedThrough' ? 'closed_through' : name, textOf(name, value)]
  })
  return new Refusal(codes[code] ?? (code as RefusalCode), { members: Object.fromEntries(members) })
}

/** The same as a record: its code, and what goes with it. */
export function refusalJson(refusal: LedgerRefusal): Record<string, string> {
  const { code, members } = refusalOf(refusal)
  return { code, ...members }
}

/** Amounts as text: they may pass 2^53. */
function textOf(name: string, value: string | bigint | number): string {
  return name === 'closedThrough' ? new Date(Number(value)).toISOString() : `${value}`
}
