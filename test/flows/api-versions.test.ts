import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CURRENT_VERSION, issueApiKey, listApiKeys } from '#access'
import { openApp } from '#harness/app'
import { openHttp } from '#harness/http-server'
import { systemRandom } from '#kernel/random'
import type { ApiVersion } from '../../src/http/versions.ts'

// There is one version yet. These pretend that there were two before it, in which an amount had another name and the trial
// balance another shape.
const versions: readonly ApiVersion[] = [
  { date: '2024-01-01', changes: [] },
  {
    date: '2025-01-01',
    changes: [
      {
        route: 'POST /v1/payments',
        body: ({ amount_minor, ...rest }) => ({ ...rest, amount: amount_minor }),
        answer: ({ id, ...rest }) => ({ ...rest, payment_id: id }),
      },
    ],
  },
  {
    date: CURRENT_VERSION,
    changes: [
      {
        route: 'POST /v1/payments',
        body: ({ shop, ...rest }) => ({ ...rest, merchant: shop }),
        answer: ({ status, ...rest }) => ({ ...rest, state: status }),
      },
    ],
  },
]

const body = { currency: 'EUR', payment_method: 'pm_sim_approve' }

test('a key is spoken to in the version it was made with, and a request may ask for another', async (t) => {
  const app = await openApp(t)
  const http = await openHttp(t, app, { versions })
  const make = async (version?: string): Promise<string> => {
    const about = { tenant: 'main', mode: 'test', ...(version === undefined ? {} : { version }) } as const
    const key = await issueApiKey(app.databases.work, systemRandom, about)
    await app.app.keys.refresh()
    return key
  }
  const pay = async (apiKey: string, sent: object, headers: Record<string, string> = {}) => {
    const answer = await fetch(`${http.url}/v1/payments`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${apiKey}`,
        'content-type': 'application/json',
        'idempotency-key': 'order-1',
        ...headers,
      },
      body: JSON.stringify(sent),
    })
    const fields = Object.keys(JSON.parse(await answer.text())).sort()
    return { status: answer.status, version: answer.headers.get('millrace-version'), fields }
  }
  const newest = await make()
  const [between, oldest] = [await make('2025-01-01'), await make('2024-01-01')]

  assert.deepEqual(await pay(newest, { ...body, amount: 5, merchant: 'mer_a' }), {
    status: 202,
    version: CURRENT_VERSION,
    fields: ['id', 'status'],
  })
  assert.deepEqual(await pay(between, { ...body, amount: 5, shop: 'mer_a' }), {
    status: 202,
    version: '2025-01-01',
    fields: ['id', 'state'],
  })
  assert.deepEqual(await pay(oldest, { ...body, amount_minor: 5, shop: 'mer_a' }), {
    status: 202,
    version: '2024-01-01',
    fields: ['payment_id', 'state'],
  })
  const asked = { 'millrace-version': '2024-01-01' }
  assert.deepEqual((await pay(newest, { ...body, amount_minor: 5, shop: 'mer_a' }, asked)).fields, [
    'payment_id',
    'state',
  ])

  const listed = await listApiKeys(app.databases.read)
  assert.deepEqual(
    listed.map(({ version }) => version),
    [CURRENT_VERSION, '2025-01-01', '2024-01-01'],
  )

  // A problem is of one shape in all versions, and names the version too; the newer body is not taken for the older.
  const refused = await pay(oldest, { ...body, amount: 5, merchant: 'mer_a' })
  assert.deepEqual([refused.status, refused.version, refused.fields.includes('code')], [422, '2024-01-01', true])
})

test('a version that is none is refused, and said to be one of those there are', async (t) => {
  const app = await openApp(t)
  const http = await openHttp(t, app)
  const authorization = `Bearer ${await http.apiKey('main', 'test')}`
  const ask = async (version: string) => {
    const answer = await fetch(`${http.url}/v1/trial-balance`, {
      headers: { authorization, 'millrace-version': version },
    })
    const problem: { code?: string; field?: string; detail?: string } = JSON.parse(await answer.text())
    return { status: answer.status, version: answer.headers.get('millrace-version'), ...problem }
  }
  assert.deepEqual((await ask(CURRENT_VERSION)).version, CURRENT_VERSION)
  for (const version of ['2020-02-02', 'latest', `${CURRENT_VERSION}, ${CURRENT_VERSION}`]) {
    const { status, code, field, detail } = await ask(version)
    assert.deepEqual([status, code, field], [400, 'version_unknown', 'Millrace-Version'])
    assert.ok(detail?.includes(CURRENT_VERSION))
  }
})
