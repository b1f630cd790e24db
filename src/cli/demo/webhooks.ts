import { sign } from '#gateways/stripe'
import { each, post, SHOP, type Stage, shuffled } from './stage.ts'

export type Carried = {
  readonly sent: number
  /** Answered with a 2xx. */
  readonly accepted: number
  readonly different: number
}

const AT_ONCE = 16
const REPEATED = 0.2
const LATE = 0.1

/**
 * Carries the shop's webhooks as badly as the internet would: shuffled, every fifth twice, and every tenth only when
 * all the others have long arrived, refunds and disputes before their payments included.
 */
export async function carryWebhooks(stage: Stage, untilQuiet: () => Promise<unknown>): Promise<Carried> {
  const { random, shop } = stage
  const events = shop.events()
  const late = new Set(events.filter(() => random.unit() < LATE))
  const repeated = events.filter(() => random.unit() < REPEATED)
  const first = shuffled(random, [
    ...events.filter((event) => !late.has(event)),
    ...repeated.filter((event) => !late.has(event)),
  ])
  const last = shuffled(random, [...late, ...repeated.filter((event) => late.has(event))])

  const count = { sent: 0, accepted: 0 }
  const carry = async ({ body }: { body: string }): Promise<void> => {
    count.sent += 1
    if (await isAccepted(stage, SHOP, 'simulated', stage.shopSecret, body)) count.accepted += 1
    if (count.sent % 50 === 0) stage.progress(`webhooks ${count.sent}`)
  }
  await each(first, AT_ONCE, carry)
  await untilQuiet()
  await each(last, AT_ONCE, carry)
  return { ...count, different: events.length }
}

/** One webhook, signed now, over HTTP. */
export async function isAccepted(
  stage: Stage,
  account: string,
  gateway: string,
  secret: string,
  body: string,
): Promise<boolean> {
  const signature = sign(Buffer.from(body), secret, Math.floor(stage.clock.now() / 1000))
  const path = `/v1/gateways/${gateway}/${account}/webhooks`
  const { status } = await post(stage, path, body, { 'stripe-signature': signature })
  return status >= 200 && status < 300
}
