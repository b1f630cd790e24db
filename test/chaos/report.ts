import type { Evidence, Finding } from './audit/evidence.ts'
import type { Struck } from './ordeal.ts'
import type { FaultKind } from './plan.ts'

/** How a run went, for people and for the exit code. */
export type Report = {
  readonly seed: number
  readonly seconds: number
  readonly struck: readonly (Struck & { readonly recoveredMs: number | undefined })[]
  readonly begun: number
  readonly accepted: number
  readonly postponed: number
  readonly silentMs: number
  readonly outcomes: ReadonlyMap<string, number>
  readonly quietMs: number
  readonly evidence: Evidence
  readonly findings: readonly Finding[]
}

/** At least this part of the faults must have struck something under way, or the run has tried nothing. */
const HIT_SHARE_MIN = 0.5

export function hitShare({ struck }: Pick<Report, 'struck'>): number {
  return struck.length === 0 ? 1 : struck.filter(({ isHit }) => isHit).length / struck.length
}

/** Why the run failed, a sentence each; empty when it did not. */
export function failuresOf(report: Report): string[] {
  const share = hitShare(report)
  return [
    ...report.findings.flatMap(({ promise, claim, evidence }) => [
      `${promise}: ${claim}`,
      ...evidence.map((one) => `    ${one}`),
    ]),
    ...(share < HIT_SHARE_MIN
      ? [`only ${percent(share)} of the faults struck something under way: too little was tried`]
      : []),
  ]
}

export function linesOf(report: Report): string[] {
  const { seed, seconds, begun, accepted, postponed, outcomes, quietMs, silentMs, evidence, struck } = report
  const { asked, operations, reported, receivers, log, followed } = evidence
  const facts = sum([...log.values()].map(({ length }) => length))
  return [
    `Chaos: seed ${seed}, ${seconds} s of load`,
    '',
    `${begun} payments begun: ${asked.length} asked for over the API, ${reported.length} reported by webhooks of our own making, the rest by the gateway`,
    `${operations.length} captures, cancellations and refunds; ${accepted} answers with a 2xx, every one of them checked`,
    `refunds refused for a moment, while the one before was in doubt: ${postponed} times`,
    `attempts by what they ended with: ${[...outcomes].map(([outcome, times]) => `${outcome} ${times}`).join(', ')}`,
    `the longest time in which nothing was accepted: ${duration(silentMs)}; all done ${duration(quietMs)} after the last request`,
    ...receivers.map(
      ({ name, different, repeated, failed, missing }) =>
        `receiver "${name}": ${different} messages, ${missing.length} missing, ${repeated} repeated, ${failed} refused on purpose`,
    ),
    `stream of events: ${sum([...followed.values()].map(({ length }) => length))} of ${facts} facts`,
    '',
    `${struck.length} faults, ${percent(hitShare(report))} of them with something under way at what they struck`,
    ...table(report),
  ]
}

function table({ struck }: Report): string[] {
  const kinds = [...new Set(struck.map(({ fault }) => fault.kind))].sort()
  const head = ['fault', 'times', 'hit', 'requests', 'transactions', 'deliveries', 'whole again p50', 'max']
  const rows = kinds.map((kind) =>
    rowOf(
      kind,
      struck.filter(({ fault }) => fault.kind === kind),
    ),
  )
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)))
  return [head, ...rows].map(
    (row) => `  ${row.map((cell, column) => pad(cell, widths[column] ?? 0, column)).join('  ')}`,
  )
}

function rowOf(kind: FaultKind, struck: Report['struck']): string[] {
  const recovered = struck.flatMap(({ recoveredMs }) => recoveredMs ?? []).sort((one, other) => one - other)
  const flying = (count: (one: Struck) => number): string => String(sum(struck.map(count)))
  return [
    kind,
    String(struck.length),
    String(struck.filter(({ isHit }) => isHit).length),
    flying(({ inFlight }) => inFlight.requests),
    flying(({ inFlight }) => inFlight.transactions),
    flying(({ inFlight }) => inFlight.deliveries),
    duration(recovered[Math.floor(recovered.length / 2)]),
    duration(recovered.at(-1)),
  ]
}

/** One line a fault, told as it happens. */
export function lineOf({ fault, subject, startedAt, endedAt, inFlight, isHit }: Struck): string {
  const { requests, transactions, deliveries } = inFlight
  const flying = `${requests} requests, ${transactions} transactions, ${deliveries} deliveries under way`
  const time = new Date(startedAt).toISOString().slice(11, 23)
  return `${time}  ${fault.kind.padEnd(17)}  ${subject.padEnd(20)}  ${duration(endedAt - startedAt).padStart(7)}  ${flying}${isHit ? '' : ', none of it there'}`
}

function pad(cell: string, width: number, column: number): string {
  return column === 0 ? cell.padEnd(width) : cell.padStart(width)
}

function duration(ms: number | undefined): string {
  return ms === undefined ? '-' : `${(ms / 1000).toFixed(1)} s`
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
