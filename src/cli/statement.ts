import { createRates } from '#fx'
import { systemClock } from '#kernel/clock'
import { type Currency, parseCurrency } from '#kernel/currency'
import { beginOf, isDay } from '#kernel/day'
import { UsageError } from '#kernel/errors'
import { formatMoney, money } from '#kernel/money'
import { readStatement } from '#ledger'
import type { Call, Command } from './command.ts'
import { withDatabase } from './connect.ts'
import { inOneLine, whoseOf } from './fx.ts'
import { table } from './help.ts'

const DAY_MS = 24 * 60 * 60 * 1000

export const statement: Command = {
  name: 'statement',
  summary: 'Show how the balance of an account came to be, line by line',
  arguments: 'ACCOUNT',
  options: {
    currency: { type: 'string', value: 'CURRENCY', summary: 'Of the account, as in EUR' },
    from: { type: 'string', value: 'TIME', summary: 'A day, or a time of RFC 3339; the beginning by default' },
    to: { type: 'string', value: 'TIME', summary: 'Up to and with it, a day as a whole; now by default' },
    booked: { type: 'string', value: 'TIME', summary: 'Of what was booked by then; everything by default' },
    in: { type: 'string', value: 'CURRENCY', summary: 'A currency to show it in too' },
    rates: {
      type: 'string',
      value: 'own|closing',
      summary: 'By the rates of each line, as is without it, or of the end',
    },
    csv: { type: 'boolean', summary: 'As CSV, amounts in whole minor units' },
    tenant: { type: 'string', value: 'TENANT', summary: 'Whose account; main by default' },
    mode: { type: 'string', value: 'test|live', summary: 'In which books; that of the configuration by default' },
  },
  details: [
    'Days are in UTC. The opening balance, the lines in the order in which it happened, and the closing balance.',
  ],
  async run(call) {
    const [account = ''] = call.arguments
    const currency = currencyOf(call, 'currency')
    if (!currency) throw new UsageError('--currency is missing: say which, as in --currency EUR.')
    const base = currencyOf(call, 'in')
    const rates = ratesOf(call)
    const range = {
      from: instantOf(call, 'from', 'begin') ?? 0,
      through: instantOf(call, 'to', 'end') ?? systemClock.now(),
      bookedAt: instantOf(call, 'booked', 'end'),
    }
    await withDatabase(call, async (database, config) => {
      const of = { ...whoseOf(call, config), account, currency }
      const converted = base ? { converted: { ratesAt: createRates(database).ratesAt, base, rates } } : {}
      const read = readStatement({ database, of, range, ...converted })
      if (!call.isSet('csv')) return printTable(call, read, currency)
      for await (const text of read.csv()) call.print(text.replace(/\r\n$/, ''))
    }).catch(inOneLine)
    return 0
  },
}

async function printTable(call: Call, { rows }: ReturnType<typeof readStatement>, currency: Currency): Promise<void> {
  const lines: string[][] = []
  for await (const page of rows()) {
    for (const row of page) {
      const amount = (minor: string): string => formatMoney(money(BigInt(minor), currency))
      const sides = row.kind === 'line' ? [row.source, amount(row.debit), amount(row.credit)] : [row.kind, '', '']
      lines.push([row.effective_at, ...sides, amount(row.balance), inBaseOf(row.converted)])
    }
  }
  for (const line of table([['TIME', 'ENTRY', 'DEBIT', 'CREDIT', 'BALANCE', ''], ...lines], '')) call.print(line)
}

type Converted = { readonly currency: string } & (
  | { readonly balance: string }
  | { readonly debit: string; readonly credit: string }
)
/** On the side on which it is; what is no line is a balance. */
function inBaseOf(converted: Converted | undefined): string {
  const known = converted && parseCurrency(converted.currency)
  if (!known) return ''
  if ('balance' in converted) return formatMoney(money(BigInt(converted.balance), known))
  const isDebit = converted.debit !== '0'
  const amount = formatMoney(money(BigInt(isDebit ? converted.debit : converted.credit), known))
  return `${amount} ${isDebit ? 'debit' : 'credit'}`
}

function currencyOf(call: Call, option: 'currency' | 'in'): Currency | undefined {
  const text = call.text(option)
  const currency = text === undefined ? undefined : parseCurrency(text)
  if (text === undefined || currency) return currency
  throw new UsageError(`--${option} must be an ISO 4217 code, as in EUR.`)
}

function ratesOf(call: Call): 'own' | 'closing' {
  const rates = call.text('rates') ?? 'own'
  if (rates === 'own' || rates === 'closing') return rates
  throw new UsageError('--rates must be own or closing.')
}

function instantOf(call: Call, option: string, edge: 'begin' | 'end'): number | undefined {
  const text = call.text(option)
  if (text === undefined) return undefined
  if (isDay(text)) return edge === 'begin' ? beginOf(text) : beginOf(text) + DAY_MS - 1
  const at = /^\d{4}-\d{2}-\d{2}T/.test(text) ? Date.parse(text) : Number.NaN
  if (!Number.isNaN(at)) return at
  throw new UsageError(`--${option} must be a day or a time, as in 2026-11-20 or 2026-11-20T09:30:00Z.`)
}
