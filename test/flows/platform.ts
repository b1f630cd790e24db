import type { TestContext } from 'node:test'
import { issueApiKey } from '#access'
import { createDatabase } from '#harness/database'
import { temporaryDirectory } from '#harness/directory'
import { until } from '#harness/until'
import { systemClock } from '#kernel/clock'
import { type Config, loadConfig } from '#kernel/config'
import { systemFetch } from '#kernel/fetch'
import { systemRandom } from '#kernel/random'
import { accountsOf } from '../../src/cli/accounts.ts'
import { type Platform, startPlatform } from '../../src/cli/platform.ts'

export type Answer = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Body
}
export type Body = { readonly [name: string]: unknown }

/** A running platform as its clients see it. */
export type TestPlatform = Platform & {
  readonly apiKey: string
  /** A request as it stands; the key of the test's tenant is added unless another is given. */
  request(method: string, path: string, options?: { headers?: Record<string, string>; body?: string }): Promise<Answer>
  pay(body: object, idempotencyKey?: string): Promise<Answer>
  payment(id: unknown): Promise<Body>
  /** Waits until the payment has the status, and returns it. */
  paymentThatIs(status: string, id: unknown): Promise<Body>
}

export const order = { amount: 1999, currency: 'EUR', merchant: 'mer_books', payment_method: 'pm_sim_approve' }

export type TestSettings = Partial<Config> & {
  /** One that was made before: with the database away none can be made. */
  readonly apiKey?: string
}

/** What `millrace start` runs, on a database of the test's own or the one named, gone when the test ends. */
export async function startTestPlatform(
  t: TestContext,
  { apiKey: given, ...settings }: TestSettings = {},
): Promise<TestPlatform> {
  const databaseUrl = settings.databaseUrl ?? (await createDatabase(t)).url
  const directory = temporaryDirectory()
  t.after(() => directory.remove())
  const config = await loadConfig({ cwd: directory.path, env: {} })
  const changed: Config = { ...config, port: 0, databaseUrl, logLevel: 'silent', ...settings }
  const platform = await startPlatform({ config: changed, ...accountsOf(changed, 'whsec_simulated') })
  const carrier = systemFetch(systemClock)
  t.after(async () => {
    await carrier.close()
    await platform.stop()
  })
  const apiKey = given ?? (await newApiKey(platform))

  const request: TestPlatform['request'] = async (method, path, { headers = {}, body } = {}) => {
    const all = {
      authorization: `Bearer ${apiKey}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    }
    const sent = body === undefined ? {} : { body }
    const answer = await carrier.fetch({
      method,
      url: `${platform.url}${path}`,
      headers: all,
      timeoutMs: 20_000,
      ...sent,
    })
    return { status: answer.status, headers: answer.headers, body: bodyOf(answer.body) }
  }
  const payment = async (id: unknown): Promise<Body> => (await request('GET', `/v1/payments/${id}`)).body
  return {
    ...platform,
    apiKey,
    request,
    payment,
    pay: (body, idempotencyKey = 'order-1') =>
      request('POST', '/v1/payments', { headers: { 'idempotency-key': idempotencyKey }, body: JSON.stringify(body) }),
    async paymentThatIs(status, id) {
      await until(`payment is ${status}`, async () => (await payment(id)).status === status, 30_000)
      return payment(id)
    },
  }
}

async function newApiKey({ app }: Platform): Promise<string> {
  const apiKey = await issueApiKey(app.databases.read, systemRandom, { tenant: 'main', mode: 'test' })
  await app.keys.refresh()
  return apiKey
}

function bodyOf(text: string): Body {
  try {
    return JSON.parse(text)
  } catch {
    return { text }
  }
}
