import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { openApp } from '#harness/app'
import { temporaryDirectory } from '#harness/directory'
import { parseCurrency } from '#kernel/currency'
import { invariant } from '#kernel/invariant'
import { formatMoney, money } from '#kernel/money'
import { seededRandom } from '#kernel/random'
import { trialBalance, writeJournal } from '#ledger'

const isThere = spawnSync('hledger', ['--version']).status === 0
const skip = isThere ? false : 'hledger is not installed'

const whose = { tenant: 'main', mode: 'test' } as const
const asked = { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' }
const names = ['cash', 'sales', 'wallet:ada', 'wallet:bob', 'fees']

test('hledger makes the same trial balance of the exported journal, to the last decimal', { skip }, async (t) => {
  const { app, databases, settle, start } = await openApp(t)
  await start()
  for (const account of names) await app.ledger.accounts.open(whose, { account, type: 'asset' }, asked)
  const random = seededRandom(7)
  const pick = <Item>(items: readonly Item[]): Item => {
    const item = items[Math.floor(random.unit() * items.length)]
    invariant(item !== undefined, 'there is one to pick')
    return item
  }
  const commands = Array.from({ length: 500 }, (_, n) => {
    const debit = pick(names)
    const transfer = {
      debit,
      credit: pick(names.filter((name) => name !== debit)),
      currency: pick(['EUR', 'JPY', 'KWD']),
    }
    const amount = BigInt(1 + Math.floor(random.unit() * 10 ** pick([1, 4, 9])))
    const about = { purpose: 'sale', postings: [], conditions: [], effectiveAt: 1_700_000_000_000 + n * 3_600_000 }
    return { kind: 'entry' as const, id: `e-${n}`, fingerprint: `${n}`, transfers: [{ ...transfer, amount }], ...about }
  })
  await app.ledger.desk.submit({ ...whose, ...asked, commands, isLinked: false })
  await settle()

  const directory = temporaryDirectory()
  t.after(() => directory.remove())
  const file = join(directory.path, 'books.journal')
  const parts: string[] = []
  const count = await writeJournal(databases.read, whose, 'hledger', async (piece) => void parts.push(`${piece}`))
  assert.equal(count, 500)
  writeFileSync(file, parts.join(''))

  const args = ['-f', file, 'balance', '--flat', '--no-total', '--commodity-column', '-O', 'csv']
  const { status, stdout, stderr } = spawnSync('hledger', args, { encoding: 'utf8' })
  assert.equal(status, 0, stderr)
  const theirs = stdout
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.replaceAll('"', '').split(','))
  const ours = (await trialBalance(databases.read, whose)).map(({ account, currency, debit, credit }) => {
    const known = parseCurrency(currency)
    invariant(known, 'the ledger knows its currencies')
    const [amount, code] = formatMoney(money(debit - credit, known)).split(' ')
    return [account, code, amount]
  })
  assert.deepEqual(theirs.toSorted(), ours.filter(([, , amount]) => !/^[0.]+$/.test(amount ?? '')).toSorted())
})
