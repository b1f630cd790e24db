import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AppUnderTest, openApp } from '#harness/app'
import { openHttp } from '#harness/http-server'
import { systemClock } from '#kernel/clock'
import { systemFetch } from '#kernel/fetch'

// The accident: concurrent writers on one ledger got a storm of serialization errors, as HTTP 500, at ten a second. Here 256
// clients write to one account with a floor, over HTTP, and then to many. Nobody gets an error, every penny
// is there, and the hot account takes at least a third of what the others take together. Both are asked in turns, and the
// better of each counts: what else the machine does must not decide.

const CLIENTS = 256
const ACCOUNTS = 32
const ROUNDS = 2

test('256 clients on one account with a floor get no error, and a third of the rate of many accounts', async (t) => {
  const app = await openApp(t)
  const http = await openHttp(t, app)
  const net = systemFetch(systemClock)
  t.after(() => net.close())
  const headers = { authorization: `Bearer ${await http.apiKey('main', 'test')}`, 'content-type': 'application/json' }
  const post = async (path: string, body: object): Promise<number> => {
    const sent = { method: 'POST', url: `${http.url}${path}`, headers, body: JSON.stringify(body), timeoutMs: 20_000 }
    return (await net.fetch(sent)).status
  }
  await post('/v1/accounts', { id: 'cash', type: 'asset' })
  await Promise.all(
    ['hot', ...Array.from({ length: ACCOUNTS }, (_, n) => `spread-${n}`)].map((id) =>
      post('/v1/accounts', { id, type: 'liability', floor: 0 }),
    ),
  )
  /** Each client pays in and takes out, one after the other. Returns entries a second. */
  const rush = async (round: string, accountOf: (client: number) => string): Promise<number> => {
    const begunMs = systemClock.monotonicMs()
    const answers = await Promise.all(
      Array.from({ length: CLIENTS }, async (_, client) => {
        const statuses: number[] = []
        for (const [n, amount] of [3, -1].entries()) {
          const [from, to] = amount > 0 ? ['cash', accountOf(client)] : [accountOf(client), 'cash']
          const transfers = [{ debit: from, credit: to, amount: Math.abs(amount), currency: 'EUR' }]
          statuses.push(await post('/v1/ledger/entries', { id: `${round}-${client}-${n}`, transfers }))
        }
        return statuses
      }),
    )
    const ms = systemClock.monotonicMs() - begunMs
    assert.deepEqual(new Set(answers.flat()), new Set([201]))
    return (answers.flat().length * 1_000) / ms
  }

  let [hot, spread] = [0, 0]
  for (let round = 0; round < ROUNDS; round++) {
    hot = Math.max(hot, await rush(`hot-${round}`, () => 'hot'))
    spread = Math.max(spread, await rush(`spread-${round}`, (client) => `spread-${client % ACCOUNTS}`))
  }
  assert.equal(await postedOn(app, 'hot'), BigInt(ROUNDS * CLIENTS * 2))
  assert.ok(hot >= spread / 3, `${hot.toFixed()} entries a second on one account, ${spread.toFixed()} on many`)
  assert.deepEqual(app.reports, [])
})

async function postedOn(app: AppUnderTest, account: string): Promise<bigint> {
  const [row] = await app.rows<{ posted: string }>(
    'select (-posted)::text as posted from ledger.guard where account = $1',
    [account],
  )
  return BigInt(row?.posted ?? '0')
}
