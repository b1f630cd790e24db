import { isObject, objectAt, valueAt } from '#gateways/stripe'
import { addTo, type Sums } from './books.ts'
import { CURRENCIES, getFrom, type Stage, textFrom } from './stage.ts'

/** What the acquirer says of the money it paid out: its settlement files, and what it has left. */
export type Settled = {
  readonly payouts: number
  readonly lines: number
  /** Amounts of the payouts. */
  readonly paidOut: Sums
  /** Sums of the files' lines, after fees. */
  readonly net: Sums
  /** Not paid out yet. */
  readonly balance: Sums
  /** Files whose lines do not add up to their payout. */
  readonly wrong: number
}

type Payout = { readonly id: string; readonly currency: string; readonly amount: number }

/** Pays out what the acquirer has of each currency. The fees come off before. */
export function payOut({ acquirer }: Stage): Payout[] {
  return CURRENCIES.flatMap((currency) => acquirer.payout(currency) ?? [])
}

export async function readSettlements(stage: Stage, payouts: readonly Payout[]): Promise<Settled> {
  const sums = { paidOut: new Map(), net: new Map(), balance: new Map() } satisfies Record<string, Sums>
  let [lines, wrong] = [0, 0]
  for (const { id, currency, amount } of payouts) {
    addTo(sums.paidOut, currency, amount)
    const rows = rowsOf(await textFrom(stage, `${stage.acquirer.url}/v1/settlements/${id}.csv`))
    lines += rows.length
    const total = (column: string): number => rows.reduce((sum, row) => sum + Number(row.get(column)), 0)
    addTo(sums.net, currency, total('net'))
    if (total('net') !== amount || total('gross') - total('fee') !== amount) wrong += 1
  }
  const state = await getFrom(stage, `${stage.acquirer.url}/control`)
  const balances = (isObject(state) && objectAt(state, 'balances')) || {}
  for (const currency of CURRENCIES) addTo(sums.balance, currency, Number(valueAt(balances, currency) ?? 0))
  return { payouts: payouts.length, lines, wrong, ...sums }
}

/** Its columns by name. No cell of a settlement file needs quotes. */
function rowsOf(file: string): ReadonlyMap<string, string>[] {
  const [head = '', ...lines] = file.split('\r\n').filter((line) => line !== '')
  const columns = head.split(',')
  return lines.map((line) => new Map(line.split(',').map((cell, place) => [columns[place] ?? '', cell])))
}
