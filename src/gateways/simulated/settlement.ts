import { toCsv } from './csv.ts'
import type { BalanceTransaction, Payout } from './objects.ts'

/** A line of a settlement file: a balance transaction, and the payment it belongs to in our words. */
export type SettlementLine = { readonly transaction: BalanceTransaction; readonly payment: string }

/** Our balance with the gateway by currency, and what each payout was made of. */
export type Settlement = {
  add(line: SettlementLine): void
  balance(currency: string): number
  currencies(): string[]
  /** Gives the whole balance of a currency to the payout, which must be of its amount. */
  settle(payout: Payout): void
  payout(id: string): Payout | undefined
  payouts(): Payout[]
  transactionsOf(payout: string): readonly BalanceTransaction[] | undefined
  /** The settlement file of a payout: its nets add up to the payout's amount. */
  fileOf(payout: string): string | undefined
}

type Account = { lines: SettlementLine[]; carried: Carried; balance: number }

/** Sums of the lines that had to be forgotten: a file still adds up. */
type Carried = { lines: number; gross: number; fee: number; net: number }

const nothingCarried: Carried = { lines: 0, gross: 0, fee: 0, net: 0 }

type Paid = { readonly payout: Payout; readonly lines: readonly SettlementLine[]; readonly carried: Carried }

/**
 * Keeps `linesMax` lines that are not paid out yet, and as many that are. What is older and not paid out becomes
 * one line of its payout, `carried_forward`; the files of older payouts are forgotten.
 */
export function openSettlement(linesMax: number): Settlement {
  const accounts = new Map<string, Account>()
  const paid = new Map<string, Paid>()
  let linesPaid = 0

  const accountOf = (currency: string): Account => {
    const known = accounts.get(currency)
    if (known !== undefined) return known
    const account = { lines: [], carried: nothingCarried, balance: 0 }
    accounts.set(currency, account)
    return account
  }

  return {
    add(line) {
      const account = accountOf(line.transaction.currency)
      account.balance += line.transaction.net
      account.lines.push(line)
      if (account.lines.length > linesMax) carryForward(account, Math.ceil(linesMax / 4))
    },
    balance: (currency) => accounts.get(currency)?.balance ?? 0,
    currencies: () => [...accounts.keys()],
    settle(payout) {
      const { lines, carried } = accountOf(payout.currency)
      accounts.delete(payout.currency)
      paid.set(payout.id, { payout, lines, carried })
      linesPaid += lines.length
      for (const [id, old] of paid) {
        if (linesPaid <= linesMax || id === payout.id) break
        paid.delete(id)
        linesPaid -= old.lines.length
      }
    },
    payout: (id) => paid.get(id)?.payout,
    payouts: () => [...paid.values()].map(({ payout }) => payout),
    transactionsOf: (id) => paid.get(id)?.lines.map(({ transaction }) => transaction),
    fileOf(id) {
      const known = paid.get(id)
      return known === undefined ? undefined : toCsv(columns, rowsOf(known))
    },
  }
}

/** Many at once: cutting a long list for each new line would cost more than the line. */
function carryForward(account: Account, count: number): void {
  account.carried = account.lines.splice(0, count).reduce(
    (sum, { transaction: { amount, fee, net } }) => ({
      lines: sum.lines + 1,
      gross: sum.gross + amount,
      fee: sum.fee + fee,
      net: sum.net + net,
    }),
    account.carried,
  )
}

const columns = [
  'balance_transaction',
  'type',
  'source',
  'payment',
  'gross',
  'fee',
  'net',
  'currency',
  'created',
  'available_on',
  'payout',
] as const

function rowsOf({ payout, lines, carried }: Paid): string[][] {
  const rows = lines.map(({ transaction, payment }) => rowOf(transaction, payment, payout.id))
  if (carried.lines === 0) return rows
  const { lines: count, gross, fee, net } = carried
  const about = ['', 'carried_forward', `${count} earlier lines`, '', String(gross), String(fee), String(net)]
  return [[...about, payout.currency.toUpperCase(), '', '', payout.id], ...rows]
}

function rowOf(transaction: BalanceTransaction, payment: string, payout: string): string[] {
  const { id, type, source, amount, fee, net, currency, created, available_on: available } = transaction
  const money = [String(amount), String(fee), String(net), currency.toUpperCase()]
  return [id, type, source, payment, ...money, instant(created), instant(available), payout]
}

function instant(seconds: number): string {
  return new Date(seconds * 1000).toISOString()
}
