import { sign } from '#gateways/stripe'

export const SECRET = 'whsec_bench'

export type SignedWebhook = { readonly body: Buffer; readonly signature: string }

/** One captured charge, as Stripe tells of it: 500 merchants' worth of them share an account. Made and signed ahead. */
export function signedWebhook(run: string, n: number): SignedWebhook {
  const body = Buffer.from(JSON.stringify(chargeSucceeded(run, n)))
  return { body, signature: sign(body, SECRET, Math.floor(Date.now() / 1000)) }
}

function chargeSucceeded(run: string, n: number) {
  const amount = 1000 + (n % 5000)
  return {
    id: `evt_${run}${n}`,
    object: 'event',
    api_version: '2024-06-20',
    created: 1_760_000_000 + n,
    livemode: false,
    pending_webhooks: 1,
    type: 'charge.succeeded',
    data: {
      object: {
        id: `ch_${run}${n}`,
        object: 'charge',
        amount,
        amount_captured: amount,
        amount_refunded: 0,
        balance_transaction: `txn_${run}${n}`,
        billing_details: {
          address: { city: null, country: 'DE', line1: null, postal_code: '10115' },
          email: null,
          name: null,
        },
        captured: true,
        created: 1_760_000_000 + n,
        currency: 'eur',
        customer: `cus_${n % 9000}`,
        description: `Order ${n}`,
        disputed: false,
        livemode: false,
        metadata: { order: String(n), channel: 'web' },
        outcome: {
          network_status: 'approved_by_network',
          reason: null,
          risk_level: 'normal',
          risk_score: 12,
          type: 'authorized',
        },
        paid: true,
        payment_intent: `pi_${run}${n}`,
        payment_method: `pm_${n % 9000}`,
        payment_method_details: {
          card: {
            brand: 'visa',
            checks: { cvc_check: 'pass' },
            country: 'DE',
            exp_month: 8,
            exp_year: 2031,
            funding: 'credit',
            network: 'visa',
          },
          type: 'card',
        },
        receipt_url: null,
        refunded: false,
        status: 'succeeded',
      },
    },
  }
}
