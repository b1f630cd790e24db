import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { schemasOf } from '#app'
import { type ExportedRow, exportAll, openExport } from '#backup'
import { type AppUnderTest, openApp } from '#harness/app'
import { temporaryDirectory } from '#harness/directory'
import { UsageError } from '#kernel/errors'
import { seededRandom } from '#kernel/random'
import { verifyExport } from '#ledger'
import { findCommand, readCall } from '../../src/cli/command.ts'
import { commands } from '../../src/cli/commands.ts'

const whose = { tenant: 'main', mode: 'test' } as const
const asked = { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' }
const about = { purpose: 'sale', postings: [], conditions: [], effectiveAt: 1_700_000_000_000 }

type Command = Parameters<AppUnderTest['app']['ledger']['desk']['submit']>[0]['commands'][number]

function commandsOf(round: string): Command[] {
  const sales = Array.from({ length: 30 }, (_, n): Command => {
    const transfers = [
      { debit: 'cash', credit: n % 3 ? 'sales' : 'wallet:ada', amount: BigInt(n + 7), currency: 'EUR' },
    ]
    return { kind: 'entry', id: `${round}-${n}`, fingerprint: `${n}`, transfers, ...about }
  })
  const leg = { debit: 'wallet:ada', credit: 'sales', amount: 5n, currency: 'EUR' }
  const conversion = {
    debit: { account: 'cash', currency: 'USD', amount: 125n },
    credit: { account: 'sales', currency: 'EUR', amount: 100n },
    given: 'credit' as const,
    rate: { numerator: 4n, denominator: 5n, source: 'bank', effectiveAt: about.effectiveAt },
    remainder: { numerator: 0n, denominator: 1n },
  }
  const converted = [
    { account: 'cash', amount: 125n, currency: 'USD' },
    { account: 'fx:position:USD', amount: -125n, currency: 'USD' },
    { account: 'fx:position:EUR', amount: 100n, currency: 'EUR' },
    { account: 'sales', amount: -100n, currency: 'EUR' },
  ]
  const exchange = { ...about, transfers: [], postings: converted, conversion }
  return [
    ...sales,
    {
      kind: 'hold',
      id: `${round}-hold`,
      fingerprint: 'h',
      purpose: 'hold',
      transfer: leg,
      conditions: [],
      expiresAt: undefined,
    },
    {
      kind: 'hold_post',
      id: `${round}-post`,
      fingerprint: 'p',
      hold: `${round}-hold`,
      amount: 4n,
      effectiveAt: about.effectiveAt,
    },
    {
      kind: 'reversal',
      id: `${round}-undo`,
      fingerprint: 'u',
      entry: `entry/${round}-2`,
      effectiveAt: about.effectiveAt,
    },
    { kind: 'entry', id: `${round}-fx`, fingerprint: 'x', ...exchange },
  ]
}

/** Books of so many rounds, each in blocks of its own; the blocks of the last one grow. */
export async function books(t: TestContext, { minutesAgo = 20 }: { minutesAgo?: number } = {}) {
  const app = await openApp(t)
  const { accounts, desk } = app.app.ledger
  await accounts.open(whose, { account: 'cash', type: 'asset' }, asked)
  await accounts.open(whose, { account: 'sales', type: 'income' }, asked)
  await accounts.open(whose, { account: 'wallet:ada', type: 'liability', floor: 0n }, asked)
  const directory = temporaryDirectory()
  t.after(() => directory.remove())
  let age = minutesAgo
  return {
    app,
    async book(...rounds: readonly string[]) {
      for (const round of rounds) {
        const outcomes = await desk.submit({ ...whose, ...asked, commands: commandsOf(round), isLinked: false })
        assert.deepEqual([...new Set(outcomes.map(({ status }) => status))], ['done'])
        // As if rounds were two minutes from each other: the next one seals the blocks of this one.
        age -= 2
        await app.rows(
          `update log.record set time = time - $1::int * interval '1 minute'
           where topic = 'ledger' and time > now() - interval '1 minute'`,
          [age],
        )
      }
      await app.start()
      await app.settle()
      await app.stop()
    },
    async exported(name: string) {
      const path = join(directory.path, name)
      await exportAll({ database: app.databases.read, schemas: schemasOf(app.app.modules), directory: path })
      return path
    },
  }
}

export const tables = [
  ...['ledger.entry', 'ledger.block', 'ledger.open_block', 'ledger.balance', 'ledger.line', 'ledger.day'],
  ...['ledger.reversal', 'ledger.conversion', 'log.record', 'log.partition', 'log.checkpoint', 'log.segment'],
]

export type Books = Readonly<Record<string, readonly ExportedRow[]>>

export async function read(directory: string): Promise<Books> {
  const exported = await openExport(directory)
  const all = await Promise.all(
    tables.map(async (table) => [table, await Array.fromAsync(exported.rows(table))] as const),
  )
  return Object.fromEntries(all)
}

export function exportOf(held: Books) {
  return {
    damages: [],
    async *rows(table: string, first?: string) {
      for (const row of held[table] ?? []) if (first === undefined || Object.values(row.cells)[0] === first) yield row
    },
  }
}

export function check(held: Books, noted: readonly string[] = []) {
  return verifyExport(exportOf(held), { random: seededRandom(5), noted })
}

/** A command as it is typed; what it prints and warns, line by line. */
export async function millrace(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ code: number; out: string[] }> {
  const out: string[] = []
  const print = (line: string) => void out.push(line)
  const found = findCommand(commands, args)
  assert.ok(found)
  const call = readCall(found, { cwd: '/', env, print, warn: print })
  const code = await found.command.run(call).catch((error: unknown) => {
    if (!(error instanceof UsageError)) throw error
    print(error.message)
    return 2
  })
  return { code, out }
}
