import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '#harness/until'
import { order, startTestPlatform, type TestPlatform } from './platform.ts'

type Item = { readonly id: string; readonly status: string; readonly currency: string; readonly merchant: string }

test('a list of payments walks page by page, newest first, whatever is added meanwhile', async (t) => {
  const platform = await startTestPlatform(t)
  const first = await payMany(platform, 'first', 23)
  const walked: string[] = []
  let cursor = ''
  let added = 0
  for (;;) {
    const page = await list(platform, `limit=5${cursor}`)
    walked.push(...page.data.map(({ id }) => id))
    if (!page.has_more) break
    cursor = `&cursor=${page.next_cursor}`
    await payMany(platform, `between-${added++}`, 3)
  }
  assert.deepEqual([...walked].sort(), [...first].sort())
  const all = await walk(platform, '/v1/payments?limit=100')
  assert.equal(new Set(all.map(({ id }) => id)).size, 23 + 3 * added)
})

test('filters narrow a list, and the customer is matched by what the caller knows', async (t) => {
  const platform = await startTestPlatform(t)
  const asked = [
    { ...order, customer: 'ada@example.com' },
    { ...order, currency: 'USD', customer: 'ada@example.com' },
    { ...order, merchant: 'mer_toys' },
    { ...order, payment_method: 'pm_sim_decline' },
  ]
  const ids = await Promise.all(asked.map(async (body, place) => (await platform.pay(body, `key-${place}`)).body.id))
  const [eur, usd, toys, declined] = ids
  await Promise.all([eur, usd, toys].map((id) => platform.paymentThatIs('captured', id)))
  await platform.paymentThatIs('failed', declined)
  const found = async (query: string): Promise<unknown[]> =>
    (await list(platform, query)).data.map(({ id }) => ids.indexOf(id)).sort()

  assert.deepEqual(await found(''), [0, 1, 2, 3])
  assert.deepEqual(await found('customer=ada%40example.com'), [0, 1])
  assert.deepEqual(await found('customer=ada%40example.com&currency=USD'), [1])
  assert.deepEqual(await found('status=failed'), [3])
  assert.deepEqual(await found('merchant=mer_toys&status=captured'), [2])
  assert.deepEqual(await found('customer=nobody'), [])
  const [{ created_at } = { created_at: '' }] = (await list(platform, 'merchant=mer_toys')).data
  const later = new Date(Date.parse(created_at) + 1).toISOString()
  assert.ok((await found(`created_after=${created_at}`)).includes(2))
  assert.ok(!(await found(`created_after=${later}&merchant=mer_toys`)).includes(2))
  assert.deepEqual(await found(`created_before=${created_at}&merchant=mer_toys`), [])
  assert.deepEqual(await found('created_after=2999-12-31T00:00:00Z'), [])
})

test('what a list cannot be asked is refused by name', async (t) => {
  const platform = await startTestPlatform(t)
  await payMany(platform, 'one', 3)
  const { next_cursor: cursor } = await list(platform, 'limit=1')
  const rows: [string, string, string][] = [
    ['limit=0', 'parameter_invalid', 'limit'],
    ['limit=101', 'parameter_invalid', 'limit'],
    ['limit=5&limit=6', 'parameter_invalid', 'limit'],
    ['status=paid', 'parameter_invalid', 'status'],
    ['currency=eur', 'parameter_invalid', 'currency'],
    ['merchant=books', 'parameter_invalid', 'merchant'],
    ['customer=', 'parameter_invalid', 'customer'],
    ['created_after=yesterday', 'parameter_invalid', 'created_after'],
    ['created_before=2026-13-45T00:00:00Z', 'parameter_invalid', 'created_before'],
    ['statsu=captured', 'parameter_invalid', 'statsu'],
    ['cursor=', 'parameter_invalid', 'cursor'],
    ['cursor=nonsense', 'cursor_invalid', 'cursor'],
    [`cursor=${cursor}A`, 'cursor_invalid', 'cursor'],
    [`cursor=${flipped(String(cursor))}`, 'cursor_invalid', 'cursor'],
    [`cursor=${cursor}&status=captured`, 'cursor_invalid', 'cursor'],
  ]
  for (const [query, code, field] of rows) {
    const answer = await platform.request('GET', `/v1/payments?${query}`)
    assert.deepEqual([answer.status, answer.body.code, answer.body.field], [400, code, field], query)
  }
  for (const path of ['/v1/accounts', '/v1/events']) {
    const answer = await platform.request('GET', `${path}?cursor=${cursor}`)
    assert.deepEqual([answer.status, answer.body.code], [400, 'cursor_invalid'], path)
  }
})

test('accounts are listed by name with every currency they hold', async (t) => {
  const platform = await startTestPlatform(t)
  const currencies = ['EUR', 'USD', 'EUR', 'GBP']
  const merchants = ['mer_a', 'mer_a', 'mer_b', 'mer_c']
  const paid = currencies.map((currency, place) =>
    platform.pay({ ...order, currency, merchant: merchants[place] }, `key-${place}`),
  )
  for (const answer of paid) await platform.paymentThatIs('captured', (await answer).body.id)
  const expected = async (): Promise<string[]> => {
    const { accounts } = (await platform.request('GET', '/v1/trial-balance')).body
    assert.ok(Array.isArray(accounts))
    return accounts.map(({ account, currency, balance }) => `${account} ${currency} ${balance}`)
  }
  const listed = async (query = ''): Promise<string[]> =>
    (await walk(platform, `/v1/accounts?limit=2${query}`)).flatMap(({ id, balances }) =>
      (balances as { currency: string; balance: string }[]).map(
        ({ currency, balance }) => `${id} ${currency} ${balance}`,
      ),
    )
  await until('all is booked', async () => (await expected()).filter((line) => /payable/.test(line)).length === 4)
  assert.deepEqual(await listed(), await expected())
  const euros = (await expected()).filter((line) => line.includes(' EUR '))
  assert.deepEqual(await listed('&currency=EUR'), euros)
})

test('the list of events has every public event once, in order, while more are added', async (t) => {
  const platform = await startTestPlatform(t)
  const ids = await payMany(platform, 'first', 8)
  const seen: { id: string; type: string; subject: string }[] = []
  let cursor = ''
  await until('the captures of all are listed', async () => {
    const page = (await platform.request('GET', `/v1/events?limit=7${cursor}`)).body
    assert.ok(Array.isArray(page.data) && page.data.length <= 7)
    seen.push(...page.data)
    cursor = `&cursor=${page.next_cursor}`
    const captured = seen.filter(({ type }) => type === 'payment.captured').map(({ subject }) => subject)
    return ids.every((id) => captured.includes(id))
  })
  assert.equal(new Set(seen.map(({ id }) => id)).size, seen.length)
  for (const id of ids) {
    const types = seen.filter(({ subject }) => subject === id).map(({ type }) => type)
    assert.equal(types[0], 'payment.created')
    assert.ok(types.indexOf('payment.captured') > 0)
  }
  assert.ok(seen.every(({ type }) => type !== 'payment.requested'))
  const captures = await platform.request('GET', '/v1/events?type=payment.captured&limit=100')
  assert.ok(Array.isArray(captures.body.data))
  assert.equal(captures.body.data.length, 8)
})

async function payMany(platform: TestPlatform, name: string, count: number): Promise<string[]> {
  const answers = await Promise.all(
    Array.from({ length: count }, (_, place) => platform.pay(order, `${name}-${place}`)),
  )
  const ids = answers.map(({ body }) => String(body.id))
  // Decided, so that they are in the list: what became of them does not matter here.
  await until('all are decided', async () => {
    const listed = new Set((await walk(platform, '/v1/payments?limit=100')).map(({ id }) => id))
    return ids.every((id) => listed.has(id))
  })
  return ids
}

async function list(platform: TestPlatform, query: string) {
  const answer = await platform.request('GET', `/v1/payments?${query}`)
  assert.equal(answer.status, 200, JSON.stringify(answer.body))
  return answer.body as unknown as {
    data: (Item & { created_at: string })[]
    has_more: boolean
    next_cursor: string | null
  }
}

async function walk(platform: TestPlatform, path: string): Promise<Record<string, unknown>[]> {
  const items: Record<string, unknown>[] = []
  for (let cursor = ''; ; ) {
    const { data, has_more, next_cursor } = (await platform.request('GET', `${path}${cursor}`)).body
    assert.ok(Array.isArray(data))
    items.push(...data)
    if (has_more !== true) return items
    cursor = `&cursor=${next_cursor}`
  }
}

function flipped(cursor: string): string {
  return `${cursor.startsWith('A') ? 'B' : 'A'}${cursor.slice(1)}`
}
