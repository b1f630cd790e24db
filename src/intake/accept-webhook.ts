import { Refusal } from '#kernel/errors'
import type { Door, NewEvent } from '#log'

/** What a gateway's bytes turned out to be. */
export type OpenedWebhook =
  | { readonly status: 'event'; readonly event: NewEvent }
  | {
      readonly status:
        | 'signature_invalid'
        | 'signature_stale'
        | 'body_malformed'
        | 'mode_mismatch'
        | 'account_not_found'
    }

export type WebhookOffer = {
  readonly gateway: string
  readonly account: string
  readonly body: Buffer
  /** What the body says, where it has been read. */
  readonly json?: unknown
  readonly signature: string | undefined
  readonly traceparent: string
}

/** Takes a gateway's webhook: when it returns, the event is on the log. @throws Refusal for one that is not authentic. */
export function createAcceptWebhook(ports: { door: Door; open(offer: WebhookOffer): OpenedWebhook }) {
  return async (offer: WebhookOffer): Promise<{ eventId: string }> => {
    const opened = ports.open(offer)
    if (opened.status !== 'event') throw refusalOf(opened.status)
    await ports.door.append([opened.event])
    return { eventId: opened.event.id }
  }
}

function refusalOf(status: Exclude<OpenedWebhook['status'], 'event'>): Refusal {
  switch (status) {
    case 'account_not_found':
      return new Refusal('gateway_account_not_found', { field: 'account' })
    case 'mode_mismatch':
      return new Refusal('body_invalid', { field: 'livemode', detail: 'livemode must be that of the gateway account' })
    case 'body_malformed':
      return new Refusal('body_malformed')
    default:
      return new Refusal(status, { field: 'Stripe-Signature' })
  }
}
