import type { SimulatedGateway } from '#gateways/simulated'
import type { Desk } from './desk.ts'

/** What may be done with a payment that took money, and how often it is. */
export const afterTaken = [
  [undefined, 0.62],
  ['refund_whole', 0.07],
  ['refund_parts', 0.06],
  ['refund_to_the_last', 0.03],
  ['refund_too_much', 0.02],
  ['refund_two_at_once', 0.02],
  ['refund_unanswered', 0.03],
  ['refund_declined', 0.02],
  ['refund_comes_back', 0.03],
  ['dispute_won', 0.04],
  ['dispute_lost', 0.04],
  ['inquiry', 0.02],
] as const

/** And with one that only holds it. */
export const afterHeld = [
  [undefined, 0.16],
  ['capture_whole', 0.28],
  ['capture_part', 0.2],
  ['capture_unanswered', 0.08],
  ['capture_declined', 0.06],
  ['capture_too_much', 0.06],
  ['cancel', 0.16],
] as const

export type Later = Exclude<(typeof afterTaken)[number][0] | (typeof afterHeld)[number][0], undefined>

/** A payment that is taken or held, and those who may do something with it. */
type Scene = {
  readonly payment: string
  /** Minor units. */
  readonly amount: number
  readonly desk: Desk
  readonly acquirer: SimulatedGateway
  /** Resolves when the gateway has made a refund of the payment, with whether it has in time. */
  refunded(): Promise<boolean>
}

type Story = {
  /** Where the gateway is to behave otherwise than it would. */
  readonly method?: string
  readonly tell: (scene: Scene) => Promise<unknown>
}

/** Parts are rounded up: none is nothing. */
const half = (amount: number): number => Math.ceil(amount / 2)
const quarter = (amount: number): number => Math.ceil(amount / 4)
const most = (amount: number): number => half(amount) + 1

const captureWhole = ({ desk, payment }: Scene) => desk.ask(payment, 'capture', {})

const stories: Record<Later, Story> = {
  capture_whole: { tell: captureWhole },
  capture_part: { tell: ({ desk, payment, amount }) => desk.ask(payment, 'capture', { amount: half(amount) }) },
  capture_unanswered: { method: 'pm_sim_on_capture_error_500_after_charge', tell: captureWhole },
  capture_declined: {
    method: 'pm_sim_on_capture_decline_expired_card',
    tell: ({ desk, payment }) => desk.ask(payment, 'capture', {}, { isRefused: true }),
  },
  capture_too_much: {
    tell: ({ desk, payment, amount }) => desk.ask(payment, 'capture', { amount: amount + 1 }, { isRefused: true }),
  },
  cancel: { tell: ({ desk, payment }) => desk.ask(payment, 'cancel', {}) },

  refund_whole: {
    async tell({ desk, payment }) {
      const body = { reason: 'requested_by_customer' }
      await desk.ask(payment, 'refund', body, { key: 'all of it' })
      await desk.ask(payment, 'refund', body, { key: 'all of it', isRepeated: true })
    },
  },
  refund_parts: {
    async tell({ desk, payment, amount }) {
      for (const _ of ['one', 'two', 'three']) await desk.ask(payment, 'refund', { amount: quarter(amount) })
    },
  },
  refund_to_the_last: {
    async tell({ desk, payment, amount }) {
      await desk.ask(payment, 'refund', { amount: half(amount) })
      await desk.ask(payment, 'refund', {})
      await desk.ask(payment, 'refund', {}, { isRefused: true })
    },
  },
  refund_too_much: {
    tell: ({ desk, payment, amount }) => desk.ask(payment, 'refund', { amount: amount + 1 }, { isRefused: true }),
  },
  /** Either alone could be; together they are more than was taken. Which of them is first is nobody's to say. */
  refund_two_at_once: {
    tell: ({ desk, payment, amount }) =>
      Promise.all(
        [false, true].map((isRefused) => desk.ask(payment, 'refund', { amount: most(amount) }, { isRefused })),
      ),
  },
  refund_unanswered: {
    method: 'pm_sim_on_refund_error_500_after_charge',
    tell: ({ desk, payment, amount }) => desk.ask(payment, 'refund', { amount: half(amount) }),
  },
  refund_declined: {
    method: 'pm_sim_on_refund_decline_insufficient_funds',
    tell: ({ desk, payment }) => desk.ask(payment, 'refund', {}, { isRefused: true }),
  },
  refund_comes_back: {
    async tell({ desk, payment, acquirer, refunded }) {
      await desk.ask(payment, 'refund', {})
      if (await refunded()) acquirer.move({ do: 'fail_refund', reason: 'lost_or_stolen_card' }, payment)
    },
  },

  dispute_won: {
    async tell({ acquirer, payment }) {
      acquirer.move({ do: 'open_dispute', reason: 'product_not_received' }, payment)
      acquirer.move({ do: 'respond_dispute' }, payment)
      acquirer.move({ do: 'win_dispute' }, payment)
    },
  },
  dispute_lost: {
    async tell({ acquirer, payment }) {
      acquirer.move({ do: 'open_dispute' }, payment)
      acquirer.move({ do: 'lose_dispute' }, payment)
    },
  },
  inquiry: {
    async tell({ acquirer, payment }) {
      acquirer.move({ do: 'open_dispute', inquiry: true }, payment)
      acquirer.move({ do: 'close_inquiry' }, payment)
    },
  },
}

/** The payment method that has the gateway play its part, where it takes one. */
export function methodOf(later: Later): string | undefined {
  return stories[later].method
}

export async function tell(later: Later, scene: Scene): Promise<void> {
  await stories[later].tell(scene)
}
