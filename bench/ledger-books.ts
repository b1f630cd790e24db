import { setTimeout as sleep } from 'node:timers/promises'
import { type Database, statement } from '#kernel/database'
import { openDatabase } from '#kernel/postgres-database'
import type { HttpPlatform } from './http-platform.ts'
import { BANK, CURRENCY, FUNDED, hotAccount, type LedgerLoad, movesOf, spreadAccount } from './ledger-entries.ts'

/** For questions about millions of rows, which take longer than anybody else's may. */
export function openBooks({ databaseUrl }: HttpPlatform): Database {
  const session = { transaction_timeout: '0' }
  return openDatabase({
    url: databaseUrl,
    connectionsMax: 1,
    applicationName: 'bench',
    session,
    answerTimeoutMs: 600_000,
  })
}

const OPEN_SPREAD = statement(
  'bench.open_accounts',
  `insert into ledger.account (tenant, mode, account, type, normal_side, floor, is_guarded, opened_at)
   select 'main', 'test', $1 || n, 'liability', 'credit', $2::numeric, $2 is not null, log.now()
   from generate_series(0, $3::int - 1) n
   on conflict do nothing`,
)
/** What everybody may owe: exactly checked with every entry, and never reached. */
const OVERDRAFT = -(10 ** 12)

/** Opens as many accounts of each kind, by SQL; the hot ones, and the bank that funds one of them, over the API. */
export async function openAccounts(platform: HttpPlatform, books: Database, accounts: number): Promise<void> {
  for (const hasFloor of [false, true]) {
    await books.query(OPEN_SPREAD, [spreadAccount(hasFloor, 0).slice(0, -1), hasFloor ? OVERDRAFT : null, accounts])
  }
  await post(platform, '/v1/accounts', { id: BANK, type: 'asset' })
  await post(platform, '/v1/accounts', { id: hotAccount(false), type: 'liability' })
  await post(platform, '/v1/accounts', { id: hotAccount(true), type: 'liability', floor: 0 })
  const transfers = [{ debit: BANK, credit: hotAccount(true), amount: FUNDED, currency: CURRENCY }]
  await post(platform, '/v1/ledger/entries', { id: 'funding', transfers })
}

async function post({ url, apiKey }: HttpPlatform, path: string, body: object): Promise<void> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${apiKey}` }
  const response = await fetch(`${url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
  if (response.status !== 201) throw new Error(`${path}: ${response.status} ${await response.text()}`)
}

const UNREAD = statement(
  'bench.ledger_unread',
  `select coalesce(sum(h.next_offset - k.next_offset), 0) as unread
   from log.checkpoint k join log.partition h on h.topic = k.topic and h.partition = k.partition
   where k.topic = 'ledger'`,
)
/** Waits until balances, statements and blocks have all that was booked. */
export async function projected({ read }: HttpPlatform): Promise<void> {
  for (;;) {
    const [row] = await read.query<{ unread: bigint }>(UNREAD)
    if (row?.unread === 0n) return
    await sleep(20)
  }
}

const BOOKED = statement(
  'bench.booked',
  `select count(*) as entries,
     count(*) filter (where e.amounts = array[1 + n % 997, -1 - n % 997]::bigint[]) as exact
   from generate_series(0, $2::int - 1) n
   cross join lateral (
     select amounts from ledger.entry
     where source = 'entry/' || $1 || n and tenant = 'main' and mode = 'test' offset 0
   ) e`,
)
/** @throws where one of the load's entries is not booked, or not as it was asked for. */
export async function checkBooked(books: Database, { run, entries }: LedgerLoad): Promise<void> {
  const [row] = await books.query<{ entries: bigint; exact: bigint }>(BOOKED, [run, entries])
  if (Number(row?.entries) === entries && Number(row?.exact) === entries) return
  throw new Error(`${row?.entries} of ${entries} entries were booked, ${row?.exact} as they were asked for`)
}

const TOTAL = statement('bench.entries', 'select count(*) as entries from ledger.entry')
const BALANCES = statement(
  'bench.balances',
  `select account, sum(debit - credit) as amount, 'balance' as kept from ledger.balance group by account
   union all
   select account, posted, 'guard' from ledger.guard
   union all
   select account, sum(debit - credit), 'day' from ledger.day group by account`,
)
const LINES = statement('bench.lines', 'select count(*) as lines, sum(amount) as sum from ledger.line')

/** Compares every balance, wherever it is kept, with what the loads add up to. @throws where one differs. */
export async function checkBalances(books: Database, loads: readonly LedgerLoad[]): Promise<void> {
  const expected = new Map([
    [BANK, BigInt(FUNDED)],
    [hotAccount(true), -BigInt(FUNDED)],
  ])
  for (const load of loads) {
    for (const [account, amount] of movesOf(load)) expected.set(account, (expected.get(account) ?? 0n) + amount)
  }
  const entries = 1 + loads.reduce((sum, load) => sum + load.entries, 0)
  const seen = { balance: 0, guard: 0, day: 0 }
  const rows = await books.query<{ account: string; amount: bigint; kept: keyof typeof seen }>(BALANCES)
  for (const { account, amount, kept } of rows) {
    if (expected.get(account) !== amount) throw new Error(`${kept} of ${account}: ${amount}, ${expected.get(account)}`)
    seen[kept]++
  }
  const guarded = [...expected.keys()].filter((account) => account.startsWith('wallet:')).length + 1
  const wanted = { balance: expected.size, guard: guarded, day: expected.size }
  if (JSON.stringify(seen) !== JSON.stringify(wanted)) throw new Error(`${JSON.stringify({ seen, wanted })} balances`)
  const [total] = await books.query<{ entries: bigint }>(TOTAL)
  const [lines] = await books.query<{ lines: bigint; sum: bigint }>(LINES)
  if (Number(total?.entries) !== entries || Number(lines?.lines) !== 2 * entries || lines?.sum !== 0n) {
    throw new Error(`${total?.entries} entries of ${entries}, ${lines?.lines} lines that come to ${lines?.sum}`)
  }
}
