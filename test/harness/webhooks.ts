import { type AppSettings, type AppUnderTest, openApp, traceparent } from '#harness/app'
import { systemClock } from '#kernel/clock'
import { systemFetch } from '#kernel/fetch'
import { brandId, type Mode } from '#kernel/ids'
import { createAddressGuard } from '#kernel/ssrf'
import type { NewEvent } from '#log'
import { paymentStatusChanged } from '#payments/events'
import type { Received } from './receiver.ts'

type Ending = { after(work: () => Promise<void>): void }

/** Whose everything is unless a test has two. */
export const whose = { tenant: 'main', mode: 'test' } as const
export const asked = { traceparent }

/** An app that may call loopback, as a test or a self-hosted installation allows it explicitly. */
export function openWebhooks(
  t: Ending,
  { backlogMax, ...settings }: AppSettings & { backlogMax?: number } = {},
): Promise<AppUnderTest> {
  const guard = createAddressGuard(['127.0.0.1'])
  const messenger = systemFetch(systemClock, guard)
  t.after(() => messenger.close())
  const cap = backlogMax === undefined ? {} : { backlogMax }
  return openApp(t, { ...settings, webhooks: { fetch: messenger.fetch, guard, ...cap } })
}

/** A fact of a payment as payments publishes it; `n` makes it one of its own. */
export function fact(payment: string, n: number, about: { tenant?: string; mode?: Mode } = {}): NewEvent {
  const { tenant = 'main', mode = 'test' } = about
  const id = `evt_${tenant}_${mode}_${payment}_${n}`
  return {
    id,
    of: paymentStatusChanged,
    key: payment,
    tenant: brandId(tenant),
    mode,
    traceparent,
    causationId: null,
    correlationId: id,
    data: { from: 'pending', to: n % 2 === 0 ? 'authorized' : 'failed' },
  }
}

export const sequenceIn = ({ headers }: Received): number => Number(headers['millrace-sequence'])
export const paymentIn = ({ body }: Received): string => JSON.parse(body).subject
export const eventIn = ({ headers }: Received): string => String(headers['webhook-id'])
