import type { GatewayAccount } from '#gateways'
import { type SimulatedGateway, startSimulatedGateway } from '#gateways/simulated'
import { systemClock } from '#kernel/clock'
import type { HttpResponse } from '#kernel/fetch'
import { seededRandom } from '#kernel/random'
import { type AppUnderTest, stripeAccount, traceparent, webhookSecret } from './app.ts'

type Ending = { after(work: () => Promise<void>): void }

export type GatewayUnderTest = Omit<SimulatedGateway, 'stop'> & {
  /** The account under which the platform calls it. */
  readonly account: GatewayAccount
  /** Where its webhooks go from now on; until then they are answered 503 and sent again. */
  reportTo(app: AppUnderTest): void
}

/** The simulated gateway over real HTTP; its webhooks reach the platform without an HTTP edge in between. */
export async function openGateway(t: Ending, about: Partial<GatewayAccount> = {}): Promise<GatewayUnderTest> {
  let receiver: AppUnderTest | undefined
  const gateway = await startSimulatedGateway({
    clock: systemClock,
    random: seededRandom(1),
    webhookUrl: 'http://127.0.0.1/webhooks',
    webhookSecret,
    fetch: ({ body = '', headers }) => receive(receiver, account.name, body, headers),
  })
  const account = stripeAccount({ gateway: 'simulated', url: gateway.url, ...about })
  t.after(() => gateway.stop())
  return {
    ...gateway,
    account,
    reportTo(app) {
      receiver = app
    },
  }
}

async function receive(
  receiver: AppUnderTest | undefined,
  account: string,
  body: string,
  headers: Readonly<Record<string, string>>,
): Promise<HttpResponse> {
  const named = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
  try {
    if (!receiver) return { status: 503, headers: {}, body: '' }
    const signature = named.get('stripe-signature')
    await receiver.app.acceptWebhook({ gateway: 'simulated', account, body: Buffer.from(body), signature, traceparent })
    return { status: 200, headers: {}, body: '' }
  } catch {
    return { status: 500, headers: {}, body: '' }
  }
}
