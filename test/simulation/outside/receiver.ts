import { createHmac } from 'node:crypto'
import type { HttpRequest, HttpResponse } from '#kernel/fetch'
import { expect } from '../auditor/expect.ts'
import type { System } from '../system.ts'
import type { World } from '../world.ts'
import { CANARY } from './merchants.ts'

/** How likely each mishap of a message is, beside those of the network. */
const REFUSED = 0.06
const UNANSWERED = 0.02

/** What an endpoint may ask to be told of; the whole only now and then, because each message is a call. */
const SUBSCRIPTIONS: readonly [string[], ...string[][]] = [
  ['payment.*', 'payout.*'],
  ['payment.captured', 'payment.refunded', 'payout.paid'],
  ['payment.operation_changed'],
  ['payment.status_changed', 'payment.fee_charged'],
]

/** A message as it arrived. */
type Arrival = {
  readonly id: string
  readonly sequence: number
  readonly body: string
  /** Whether it was answered with a yes. That answer may have been lost. */
  readonly isTaken: boolean
}

/** A merchant's server: it takes what is signed, fails at times, and writes down what it is told. */
export class Receiver {
  readonly url: string
  readonly patterns: readonly string[]
  /** Whether its endpoint was there before anything happened. */
  readonly isEarly: boolean
  readonly arrivals: Arrival[] = []
  endpoint = ''
  #key = Buffer.alloc(0)
  readonly #world: World<System>

  constructor(world: World<System>, name: string, isEarly: boolean) {
    this.url = `https://merchant.test/${name}/${CANARY}`
    this.patterns = world.scheduler.pick(SUBSCRIPTIONS)
    this.isEarly = isEarly
    this.#world = world
  }

  /** The endpoint as the platform has made it. */
  knows({ id, secret }: { readonly id: string; readonly secret: string }): void {
    this.endpoint = id
    this.#key = Buffer.from(secret.replace('whsec_', ''), 'base64')
  }

  answer({ headers, body = '' }: HttpRequest): HttpResponse | 'never' {
    const { scheduler, machine } = this.#world
    const { 'webhook-id': id = '', 'webhook-timestamp': at = '', 'webhook-signature': signature = '' } = headers
    const expected = createHmac('sha256', this.#key).update(`${id}.${at}.${body}`).digest('base64')
    expect(signature === `v1,${expected}`, `a message that is not signed came to ${this.endpoint}`)
    const isTaken = machine.isCalm || !scheduler.chance(REFUSED)
    this.arrivals.push({ id, sequence: Number(headers['millrace-sequence']), body, isTaken })
    if (!machine.isCalm && scheduler.chance(UNANSWERED)) return 'never'
    return { status: isTaken ? 204 : 503, headers: {}, body: isTaken ? '' : `${CANARY} is out of order` }
  }
}
