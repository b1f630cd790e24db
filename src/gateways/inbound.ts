import { plainDigest } from '#kernel/digest'
import { brandId, type EventId, type TenantId } from '#kernel/ids'
import type { Seal } from '#kernel/seal'
import type { NewEvent } from '#log'
import type { GatewayAccount } from './account.ts'
import { eventReceived } from './events.ts'
import { mapStripeEvent } from './stripe/map.ts'
import { verifySignature } from './stripe/signature.ts'

export type Webhook = {
  readonly account: GatewayAccount
  readonly body: Buffer
  /** What the body says, where it has been read. */
  readonly json?: unknown
  /** The Stripe-Signature header, as it came. */
  readonly signature: string | undefined
  readonly traceparent: string
  /** Unix milliseconds. */
  readonly now: number
}

export type InboundOutcome =
  /** `payment`: ours, where the gateway carries it for us. */
  | { readonly status: 'event'; readonly event: NewEvent; readonly payment: string | undefined }
  | { readonly status: 'signature_invalid' | 'signature_stale' | 'body_malformed' | 'mode_mismatch' }

/** A webhook's bytes to an event for `gateway.inbox`: authentic, mapped, its body sealed. */
export function openWebhook(webhook: Webhook, seal: Seal): InboundOutcome {
  const { account, body, signature, now } = webhook
  const verdict = verifySignature({ body, header: signature, secrets: account.webhookSecrets, nowMs: now })
  if (verdict === 'stale') return { status: 'signature_stale' }
  if (verdict !== 'valid') return { status: 'signature_invalid' }

  const digestId = (id: string): string => seal.digest('gateway-object', account.tenant, account.name, id)
  const mapped = mapStripeEvent(webhook.json ?? parsed(body), digestId)
  if (mapped === 'not_an_event') return { status: 'body_malformed' }
  // Test money in live books, or the reverse, is a secret pasted into the wrong account.
  if (mapped.livemode !== (account.mode === 'live')) return { status: 'mode_mismatch' }

  const subject = `payment:${plainDigest('gateway-root', account.tenant, account.name, mapped.root)}`
  const key = seal.dataKey({ tenant: account.tenant, subject })
  const id = brandId<EventId>(`evt_${plainDigest('gateway-event', account.tenant, account.name, mapped.eventId)}`)
  return {
    status: 'event',
    payment: mapped.payment,
    event: {
      id,
      of: eventReceived,
      key: `${account.name}/${mapped.root}`,
      tenant: brandId<TenantId>(account.tenant),
      mode: account.mode,
      traceparent: webhook.traceparent,
      causationId: null,
      correlationId: id,
      data: {
        gateway: account.gateway,
        account: account.name,
        eventId: mapped.eventId,
        eventType: mapped.eventType,
        merchant: account.merchant,
        ...(mapped.payment === undefined ? {} : { payment: mapped.payment }),
        reports: mapped.reports,
      },
      attachment: seal.sealBytes(key, body, bodyContext(account.tenant)),
      dataKeys: [key],
    },
  }
}

function bodyContext(tenant: string): string {
  return `${tenant}/gateway.event_received/body`
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    return undefined
  }
}
