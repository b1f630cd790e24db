import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { openApp } from '#harness/app'
import { temporaryDirectory } from '#harness/directory'
import { createHistory } from '#log'
import { BLOCK_AGE_MS } from './block.ts'
import { proveEntry } from './proof.ts'
import { verifyBlocks } from './verify-blocks.ts'

const whose = { tenant: 'main', mode: 'test' } as const
const asked = { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' }

test('an entry is proven by a page of code; one that is changed on the log or in the ledger is found and named', async (t) => {
  const { app, databases, rows, settle, start } = await openApp(t)
  await app.ledger.accounts.open(whose, { account: 'cash', type: 'asset' }, asked)
  await app.ledger.accounts.open(whose, { account: 'sales', type: 'income' }, asked)
  const book = async (prefix: string) => {
    const commands = Array.from({ length: 40 }, (_, n) => {
      const about = { purpose: 'sale', postings: [], conditions: [], effectiveAt: 1_700_000_000_000 }
      const transfers = [{ debit: 'cash', credit: 'sales', amount: 7n, currency: 'EUR' }]
      return { kind: 'entry' as const, id: `${prefix}-${n}`, fingerprint: `${n}`, transfers, ...about }
    })
    await app.ledger.desk.submit({ ...whose, ...asked, commands, isLinked: false })
  }
  await book('old')
  // As if it had been a while ago: the next entries begin new blocks, which seals these.
  await rows(`update log.record set time = time - interval '${2 * BLOCK_AGE_MS} milliseconds' where topic = 'ledger'`)
  await book('new')
  await start()
  await settle()
  const well = await verifyBlocks(databases.read, createHistory({ database: databases.read }))
  assert.deepEqual([well.entries, well.findings], [80, []])
  assert.ok(well.blocks > 0)

  const outcome = await proveEntry(databases.read, whose, 'entry/old-7')
  assert.equal(outcome.status, 'proven')
  if (outcome.status !== 'proven') return
  const { proof } = outcome
  const directory = temporaryDirectory()
  t.after(() => directory.remove())
  const check = (about: typeof proof, hash: string) => {
    writeFileSync(join(directory.path, 'proof.json'), JSON.stringify(about))
    return spawnSync(process.execPath, [checkProof, join(directory.path, 'proof.json'), hash], { encoding: 'utf8' })
      .status
  }
  assert.equal(check(proof, proof.hash), 0)
  assert.equal(check({ ...proof, entry: proof.entry.replace('"-7"', '"-8"') }, proof.hash), 1)
  assert.equal(check(proof, '0'.repeat(64)), 1)
  assert.deepEqual(await proveEntry(databases.read, whose, 'entry/new-7'), { status: 'provisional' })
  assert.deepEqual(await proveEntry(databases.read, whose, 'entry/nobody'), { status: 'not_found' })

  const damages: [what: string, sql: string, finding: RegExp][] = [
    [
      'an amount on the log',
      damagedRecord(`replace(event, '"-7"', '"-8"')`),
      /block 1 of ledger\/\d, offsets 0 to \d+: an entry of it is not as it was sealed/,
    ],
    [
      'an amount in the ledger',
      damagedEntry(`amounts = '{8,-8}'`),
      /entry entry\/old-\d+ \(ledger\/\d at \d+\) is in the ledger with other content/,
    ],
    [
      'a lost entry',
      `alter table ledger.entry disable trigger user; delete from ledger.entry where source = 'entry/old-3'`,
      /entry entry\/old-3 .* is on the log and not in the ledger/,
    ],
    [
      'the hash of a block',
      `update ledger.block set hash = repeat('0', 64) where number = 1`,
      /block 1 of ledger\/\d.*: it is not as it was sealed/,
    ],
  ]
  for (const [what, sql, finding] of damages) {
    const { findings } = await damaged(sql)
    assert.ok(
      findings.some((one) => finding.test(one)),
      `${what}: ${findings.join('; ')}`,
    )
  }

  async function damaged(sql: string) {
    let verdict: Awaited<ReturnType<typeof verifyBlocks>> | undefined
    await databases.work
      .transaction({}, async (tx) => {
        await tx.script(sql)
        const database = { ...databases.read, query: tx.query }
        verdict = await verifyBlocks(database, createHistory({ database }))
        throw new Undo()
      })
      .catch((error: unknown) => assert.ok(error instanceof Undo, String(error)))
    assert.ok(verdict)
    return verdict
  }
})

const checkProof = join(import.meta.dirname, '../../docs/examples/check-proof.ts')

class Undo extends Error {}

function damagedRecord(change: string): string {
  return `update log.record set event = ${change} where topic = 'ledger' and key = 'entry/old-5'`
}

function damagedEntry(change: string): string {
  return `alter table ledger.entry disable trigger user; update ledger.entry set ${change} where source = 'entry/old-4'`
}
