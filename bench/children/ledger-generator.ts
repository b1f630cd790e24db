/** Sends entries over HTTP, and says how long each answer took. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Pool } from 'undici'
import { answer } from '../child.ts'
import { CURRENCY, entryId, type LedgerLoad, transferOf } from '../ledger-entries.ts'

export type LedgerTraffic = LedgerLoad & { readonly url: string; readonly apiKey: string }

export type LedgerSent = {
  /** Milliseconds from each request to its answer, sorted. */
  readonly latenciesMs: Float64Array
  /** Unix milliseconds. */
  readonly begunAt: number
  readonly endedAt: number
  readonly cpuUs: number
  /** Answers that were no booked entry, by what they were, and how often. */
  readonly errors: Readonly<Record<string, number>>
}

answer(async (traffic: LedgerTraffic): Promise<LedgerSent> => {
  const { url, apiKey, clients, bulk, entries } = traffic
  const pool = new Pool(url, { connections: clients, pipelining: 1, headersTimeout: 60_000, bodyTimeout: 60_000 })
  const requests = Math.ceil(entries / bulk)
  const latenciesMs = new Float64Array(requests)
  const errors: Record<string, number> = {}
  const failed = (what: string): void => {
    errors[what] = (errors[what] ?? 0) + 1
  }
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${apiKey}` }
  const path = bulk === 1 ? '/v1/ledger/entries' : '/v1/ledger/entries/bulk'

  const send = async (n: number): Promise<void> => {
    const body = bulk === 1 ? entryText(traffic, n) : bulkText(traffic, n)
    const begun = performance.now()
    const response = await pool.request({ method: 'POST', path, headers, body })
    const text = await response.body.text()
    latenciesMs[n] = performance.now() - begun
    if (response.statusCode !== (bulk === 1 ? 201 : 200)) failed(`${response.statusCode} ${text.slice(0, 200)}`)
    else if (bulk > 1) countRefused(text, failed)
  }

  const cpu = process.cpuUsage()
  const begunAt = performance.timeOrigin + performance.now()
  await paced(requests, traffic, send)
  const endedAt = performance.timeOrigin + performance.now()
  const { user, system } = process.cpuUsage(cpu)
  await pool.close()
  return { latenciesMs: latenciesMs.sort(), begunAt, endedAt, cpuUs: user + system, errors }
})

/** Written by hand: the generator shares the machine with what it measures. */
function entryText(load: LedgerLoad, n: number): string {
  const { debit, credit, amount } = transferOf(load, n)
  const transfer = `{"debit":"${debit}","credit":"${credit}","amount":${amount},"currency":"${CURRENCY}"}`
  return `{"id":"${entryId(load.run, n)}","purpose":"purchase","transfers":[${transfer}]}`
}

function bulkText(load: LedgerLoad, request: number): string {
  const first = request * load.bulk
  const count = Math.min(load.bulk, load.entries - first)
  return `{"entries":[${Array.from({ length: count }, (_, n) => entryText(load, first + n)).join(',')}]}`
}

function countRefused(text: string, failed: (what: string) => void): void {
  const { results } = JSON.parse(text) as { results: { status: string; repeated?: boolean; refusal?: unknown }[] }
  for (const { status, repeated, refusal } of results) {
    if (status !== 'done' || repeated) failed(JSON.stringify(refusal ?? 'repeated'))
  }
}

async function paced(
  count: number,
  { clients, perSecond }: LedgerTraffic,
  send: (n: number) => Promise<void>,
): Promise<void> {
  let next = 0
  if (perSecond === undefined) {
    const client = async (): Promise<void> => {
      while (next < count) await send(next++)
    }
    await Promise.all(Array.from({ length: clients }, client))
    return
  }
  const begun = performance.now()
  const underWay: Promise<void>[] = []
  while (next < count) {
    const due = Math.min(count, Math.floor(((performance.now() - begun) / 1000) * perSecond))
    while (next < due) underWay.push(send(next++))
    await sleep(1)
  }
  await Promise.all(underWay)
}
