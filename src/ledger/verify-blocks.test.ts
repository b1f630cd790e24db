import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { openApp } from '#harness/app'
import { temporaryDirectory } from '#harness/directory'
import { systemClock } from '#kernel/clock'
import type { Database } from '#kernel/database'
import { createHttpServer } from '#kernel/http'
import { systemRandom } from '#kernel/random'
import { createLogger } from '#kernel/telemetry'
import { createHistory } from '#log'
import { BLOCK_AGE_MS } from './block.ts'
import { postingsOf } from './conversion.ts'
import { proveEntry } from './proof.ts'
import { proofRoutes } from './proof-routes.ts'
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
    const undo = { kind: 'reversal' as const, id: `${prefix}-undo`, fingerprint: 'u', entry: `entry/${prefix}-9` }
    await app.ledger.desk.submit({
      ...whose,
      ...asked,
      commands: [...commands, exchange(prefix), { ...undo, effectiveAt: 1_700_000_000_000 }],
      isLinked: false,
    })
  }
  for (const prefix of ['old', 'later', 'new']) {
    // As if it had been a while ago: the next entries begin new blocks, which seals these.
    await rows(`update log.record set time = time - interval '${2 * BLOCK_AGE_MS} milliseconds' where topic = 'ledger'`)
    await book(prefix)
  }
  await start()
  await settle()
  const well = await verifyBlocks(databases.read, createHistory({ database: databases.read }))
  assert.deepEqual([well.entries, well.findings], [126, []])
  const noted = well.heads.map(({ hash }) => hash)
  assert.ok(noted.length > 0)
  const remembered = await verifyBlocks(databases.read, undefined, [...noted, '0'.repeat(64)])
  assert.deepEqual(remembered.findings, [
    `no block has the hash ${'0'.repeat(64)} that was noted: blocks were removed from the end, or made anew`,
  ])
  assert.ok(well.blocks > 0)

  const outcome = await proveEntry(databases.read, whose, 'entry/old-7')
  assert.equal(outcome.status, 'proven')
  if (outcome.status !== 'proven') return
  const { proof } = outcome
  const directory = temporaryDirectory()
  t.after(() => directory.remove())
  writeFileSync(join(directory.path, 'check-proof.mjs'), pageOfCode())
  const { partition } = JSON.parse(proof.block)
  const head = well.heads.find((one) => one.partition === partition)?.hash ?? ''
  const upToHead = await proveEntry(databases.read, whose, 'old-7', { head })
  assert.ok(upToHead.status === 'proven' && upToHead.proof.chain.length > 0)
  const chained = upToHead.proof
  assert.equal((await proveEntry(databases.read, whose, 'old-7', { head: '0'.repeat(64) })).status, 'no_chain')
  const checkers = [
    [process.execPath, join(directory.path, 'check-proof.mjs')],
    ...(isPythonThere ? [['python3', join(documents, 'examples/check-proof.py')]] : []),
  ]
  for (const [command = '', ...args] of checkers) {
    const check = (about: typeof proof, hash: string) => {
      writeFileSync(join(directory.path, 'proof.json'), JSON.stringify(about))
      return spawnSync(command, [...args, join(directory.path, 'proof.json'), hash], { encoding: 'utf8' }).status
    }
    assert.equal(check(proof, proof.hash), 0, command)
    assert.equal(check(chained, head), 0, command)
    assert.equal(check(chained, proof.hash), 1)
    assert.equal(check({ ...chained, chain: chained.chain.slice(1) }, head), 1)
    assert.equal(check({ ...chained, block: chained.block.replace('"number":1', '"number":2') }, head), 1)
    assert.equal(check({ ...proof, entry: proof.entry.replace('"-7"', '"-8"') }, proof.hash), 1)
    assert.equal(check({ ...proof, path: proof.path.slice(1) }, proof.hash), 1)
    assert.equal(check({ ...proof, index: proof.index + 1 }, proof.hash), 1)
    assert.equal(check(proof, '0'.repeat(64)), 1)
  }
  const { entry = '' } = JSON.parse(proof.entry)
  for (const name of ['old-7', entry]) assert.deepEqual(await proveEntry(databases.read, whose, name), outcome)
  assert.deepEqual(await proveEntry(databases.read, whose, 'entry/new-7'), { status: 'provisional' })
  assert.deepEqual(await proveEntry(databases.read, whose, 'entry/nobody'), { status: 'not_found' })
  const asking = serverWith(t, databases.read)
  assert.deepEqual(await asking('old-7'), [200, proof])
  assert.deepEqual(await asking('old-7', `?head=${head}`), [200, chained])
  assert.deepEqual(await asking('old-7', `?head=${'0'.repeat(64)}`), [400, 'parameter_invalid'])
  assert.deepEqual(await asking('new-7'), [409, 'entry_not_sealed'])
  assert.deepEqual(await asking('nobody'), [404, 'entry_not_found'])

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
      'a rate',
      `alter table ledger.conversion disable trigger user;
       update ledger.conversion set details = replace(details::text, '"5"', '"6"')::json where source = 'entry/old-fx'`,
      /entry entry\/old-fx .* is in the ledger with other content/,
    ],
    [
      'what it reverses',
      `update ledger.reversal set reversed_by = 'entry/old-1' where reversed_by = 'entry/old-undo'`,
      /entry entry\/old-undo .* is in the ledger with other content/,
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

const documents = join(import.meta.dirname, '../../docs')
const isPythonThere = spawnSync('python3', ['--version']).status === 0

/** Asks the API for the proof of an entry. */
function serverWith(t: TestContext, database: Database) {
  const logger = createLogger({ level: 'silent', clock: systemClock })
  const server = createHttpServer({ logger, clock: systemClock, random: systemRandom, bodyLimit: 1_000 })
  t.after(() => server.close())
  proofRoutes(server, { callers: { check: async () => {}, of: () => whose }, database })
  return async (id: string, query = '') => {
    const answer = await server.inject({ method: 'GET', url: `/v1/ledger/entries/${id}/proof${query}` })
    const body = answer.json<{ code?: string }>()
    return [answer.statusCode, body.code ?? body]
  }
}

/** What an auditor copies from the document. */
function pageOfCode(): string {
  const [, code] = /^```js\n(import .*?)^```$/ms.exec(readFileSync(join(documents, 'proof.md'), 'utf8')) ?? []
  assert.ok(code)
  return code
}

/** An entry between two currencies, with the rate that made it. */
function exchange(prefix: string) {
  const conversion = {
    debit: { account: 'cash', currency: 'USD', amount: 125n },
    credit: { account: 'sales', currency: 'EUR', amount: 100n },
    given: 'credit' as const,
    rate: { numerator: 4n, denominator: 5n, source: 'bank', effectiveAt: 1_700_000_000_000 },
    remainder: { numerator: 0n, denominator: 1n },
  }
  const about = { purpose: 'conversion', transfers: [], conditions: [], effectiveAt: 1_700_000_000_000 }
  const id = { kind: 'entry' as const, id: `${prefix}-fx`, fingerprint: 'x' }
  return { ...id, ...about, conversion, postings: postingsOf(conversion) }
}

class Undo extends Error {}

function damagedRecord(change: string): string {
  return `update log.record set event = ${change} where topic = 'ledger' and key = 'entry/old-5'`
}

function damagedEntry(change: string): string {
  return `alter table ledger.entry disable trigger user; update ledger.entry set ${change} where source = 'entry/old-4'`
}
