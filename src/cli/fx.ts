import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { createRates, createRecordRates, RatesUnreadable, ratesOn, readRateFile } from '#fx'
import { systemClock } from '#kernel/clock'
import { type Currency, parseCurrency } from '#kernel/currency'
import { dayOf, isDay } from '#kernel/day'
import { Refusal, UsageError } from '#kernel/errors'
import { FetchFailure, systemFetch } from '#kernel/fetch'
import { formatMoney, money } from '#kernel/money'
import { systemRandom } from '#kernel/random'
import { createRevaluation } from '#ledger'
import { createWakeups } from '#log'
import { TENANT } from './accounts.ts'
import type { Call, Command } from './command.ts'
import { withDatabase } from './connect.ts'
import { table } from './help.ts'
import { tenantOf } from './keys.ts'

const FETCH_MS = 60_000
/** Of what would have to be replaced, so many are shown. */
const CHANGED_SHOWN = 10

export const importRates: Command = {
  name: 'fx import',
  summary: 'Take over exchange rates as the European Central Bank publishes them, or a table of your own',
  arguments: 'FILE|URL',
  options: {
    source: { type: 'string', value: 'NAME', summary: 'Whose rates they are; that of the format by default' },
    replace: { type: 'boolean', summary: 'Replace rates that are known and differ, and record that' },
  },
  details: [
    'Reads eurofxref-hist (all days) and eurofxref (the last), CSV or in their archive, or lines of day,base,currency,rate',
    'under a --source, for every tenant. Safe to repeat: what is known is passed over. Where the file says another rate than',
    'is known nothing is taken, unless --replace is given.',
  ],
  async run(call) {
    const [from = ''] = call.arguments
    const { rates, unknown, source: published } = await read(from, call.cwd)
    const source = sourceOf(call, published)
    if (rates.length === 0) throw new UsageError(`${from} holds no rates.`)
    const { added, replaced, unchanged, changed } = await withDatabase(
      call,
      (database) => {
        const record = createRecordRates({ database, wakeups: createWakeups(), random: systemRandom })
        return record({ owner: 'installation', source, rates, isReplacing: call.isSet('replace') })
      },
      'refuse what is missing',
    )
    if (unknown.length > 0) call.warn(`Left out, being no active currencies: ${unknown.join(', ')}.`)
    if (changed.length === 0) {
      call.print(`${added} rates were new, ${replaced} were replaced, ${unchanged} were known.`)
      return 0
    }
    for (const { day, currency, before, after } of changed.slice(0, CHANGED_SHOWN)) {
      call.warn(`${day} ${currency}: ${before} is known, and the file says ${after}.`)
    }
    call.warn(`${changed.length} rates differ from what is known; nothing was taken. With --replace they are replaced.`)
    return 1
  },
}

export const listRates: Command = {
  name: 'fx list',
  summary: 'Show the exchange rates of a day',
  options: {
    at: { type: 'string', value: 'DATE', summary: 'As in 2026-11-20; today by default' },
    tenant: { type: 'string', value: 'TENANT', summary: 'With its own rates; main by default' },
    mode: { type: 'string', value: 'test|live', summary: 'Of its rates; that of the configuration by default' },
  },
  details: ['Of each source and pair the last on or before the day, and not older than seven days.'],
  async run(call) {
    const day = call.text('at') === undefined ? dayOf(systemClock.now()) : dayGiven(call)
    const rows = await withDatabase(call, (database, config) => ratesOn(database, whoseOf(call, config), day))
    if (rows.length === 0) call.print(`No rates are known for ${day}. See: millrace fx import --help`)
    const cells = rows.map(({ base, currency, rate, day: of, source, isOwn }) => {
      return [`1 ${base}`, `${rate} ${currency}`, of, source, isOwn ? 'own' : 'all']
    })
    for (const line of rows.length > 0 ? table([['BASE', 'RATE', 'DAY', 'SOURCE', 'WHOSE'], ...cells], '') : []) {
      call.print(line)
    }
    return 0
  },
}

export const revalue: Command = {
  name: 'fx revalue',
  summary: 'Book what the positions in currencies have gained, as of the end of a day',
  options: {
    at: { type: 'string', value: 'DATE', summary: 'The day, as in 2026-11-20' },
    base: { type: 'string', value: 'CURRENCY', summary: 'The currency gains are told in; EUR by default' },
    tenant: { type: 'string', value: 'TENANT', summary: 'Whose positions; main by default' },
    mode: { type: 'string', value: 'test|live', summary: 'In which books; that of the configuration by default' },
  },
  details: [
    'At average cost and the rates of the day, which must be over: realised where a position was reduced, unrealised for',
    'the rest, which is undone as the next day begins. Once for a day and base; the next takes up what was booked late.',
  ],
  async run(call) {
    const day = dayGiven(call)
    const base = baseOf(call)
    const found = await withDatabase(call, (database, config) => {
      const { ratesAt } = createRates(database)
      const ports = { work: database, read: database, wakeups: createWakeups(), clock: systemClock, ratesAt }
      const traceparent = `00-${systemRandom.bytes(16).toString('hex')}-${systemRandom.bytes(8).toString('hex')}-01`
      return createRevaluation(ports)({ ...whoseOf(call, config), base, day, traceparent })
    }).catch(inOneLine)
    if (found.length === 0) call.print(`There are no positions but in ${base}.`)
    const head = ['POSITION', 'COST', 'VALUE', 'REALISED', 'UNREALISED', 'BOOKED AS']
    for (const line of found.length > 0 ? table([head, ...found.map((one) => rowOf(one, base))], '') : []) {
      call.print(line)
    }
    return 0
  },
}

type Revaluation = Awaited<ReturnType<ReturnType<typeof createRevaluation>>>[number]

function rowOf({ currency, isRepeated, quantity, ...about }: Revaluation, base: Currency): string[] {
  const known = parseCurrency(currency)
  const inBase = [about.cost, about.value, about.realised, about.unrealised]
  const booked = [about.realisedSource, about.unrealisedSource].filter((source) => source !== undefined)
  return [
    known ? formatMoney(money(quantity, known)) : `${quantity} ${currency}`,
    ...inBase.map((amount) => formatMoney(money(amount, base))),
    booked.length === 0 ? 'nothing to book' : `${booked.join(', ')}${isRepeated ? ' (before)' : ''}`,
  ]
}

async function read(from: string, cwd: string) {
  const bytes = /^https?:\/\//.test(from) ? await fetched(from) : await contentOf(resolve(cwd, from))
  try {
    return readRateFile(bytes)
  } catch (error) {
    if (error instanceof RatesUnreadable) throw new UsageError(`${from} cannot be taken: ${error.message}.`)
    throw error
  }
}

async function contentOf(path: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable'
    throw new UsageError(`${path} cannot be read: ${code === 'ENOENT' ? 'there is no such file' : code}.`)
  }
}

async function fetched(url: string): Promise<Buffer> {
  const carrier = systemFetch(systemClock)
  try {
    const asked = { method: 'GET', url, headers: {}, timeoutMs: FETCH_MS, decoding: 'latin1' } as const
    const { status, body } = await carrier.fetch(asked)
    if (status === 200) return Buffer.from(body, 'latin1')
    throw new UsageError(`${url} answered ${status}, and not 200.`)
  } catch (error) {
    if (error instanceof FetchFailure) throw new UsageError(`${url} could not be fetched: ${error.reason}.`)
    throw error
  } finally {
    await carrier.close()
  }
}

/** A refusal is about what was asked for: who called learns it as of any other option. */
export function inOneLine(error: unknown): never {
  if (error instanceof Refusal) {
    const about = Object.entries(error.members).map(([name, value]) => `${name} ${value}`)
    throw new UsageError([error.message, ...about].join('; '))
  }
  throw error
}

function sourceOf(call: Call, published: string | undefined): string {
  const source = call.text('source') ?? published
  if (source === undefined)
    throw new UsageError('--source is missing: say whose rates they are, as in --source treasury.')
  if (/^[a-z][a-z0-9_-]{0,39}$/.test(source) && source !== 'caller' && source !== 'same') return source
  throw new UsageError('--source must be small letters, digits, _ and -, and neither caller nor same.')
}

function dayGiven(call: Call): string {
  const day = call.text('at')
  if (day === undefined) throw new UsageError('--at is missing: say of which day, as in --at 2026-11-20.')
  if (isDay(day)) return day
  throw new UsageError('--at must be a day of the calendar, as in 2026-11-20.')
}

function baseOf(call: Call): Currency {
  const base = parseCurrency(call.text('base') ?? 'EUR')
  if (base === undefined) throw new UsageError('--base must be an ISO 4217 code, as in EUR.')
  return base
}

export function whoseOf(call: Call, config: { readonly mode: 'test' | 'live' }) {
  const mode = call.text('mode') ?? config.mode
  if (mode !== 'test' && mode !== 'live') throw new UsageError('--mode must be test or live.')
  return { tenant: call.text('tenant') === undefined ? TENANT : tenantOf(call), mode } as const
}
