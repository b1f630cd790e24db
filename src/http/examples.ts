/** A request that runs as it stands: in the API's document, on its page, and in a test that sends every one of them. */
export type Example = {
  /** As it is declared: `GET /v1/payments/:id`. */
  readonly route: string
  readonly summary: string
  /** `{payment}` and the like stand for ids that an earlier example was answered with. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Readonly<Record<string, unknown>>
  readonly status: number
  /** By what name later examples know the id in the answer. */
  readonly names?: string
}

const order = { amount: 1999, currency: 'EUR', merchant: 'mer_books', payment_method: 'pm_sim_approve' }

/** In an order in which they can be sent one after the other. */
export const examples: readonly Example[] = [
  {
    route: 'POST /v1/payments',
    summary: 'Take 19.99 EUR, and wait until it is decided',
    path: '/v1/payments',
    headers: { 'Idempotency-Key': 'order-1', Prefer: 'wait=20' },
    body: { ...order, customer: 'ada@example.com', description: 'Two books', metadata: { cart: '7' } },
    status: 201,
    names: 'payment',
  },
  {
    route: 'GET /v1/payments/:id',
    summary: 'What became of it',
    path: '/v1/payments/{payment}',
    status: 200,
  },
  {
    route: 'GET /v1/payments/:id/events',
    summary: 'What happened to it, step by step',
    path: '/v1/payments/{payment}/events',
    status: 200,
  },
  {
    route: 'GET /v1/payments',
    summary: 'The last captured payments of a customer',
    path: '/v1/payments?status=captured&customer=ada%40example.com&limit=10',
    status: 200,
  },
  {
    route: 'POST /v1/payments/:id/refunds',
    summary: 'Give a part back, and wait until it is done',
    path: '/v1/payments/{payment}/refunds',
    headers: { 'Idempotency-Key': 'refund-1', Prefer: 'wait=20' },
    body: { amount: 500 },
    status: 201,
  },
  {
    route: 'POST /v1/payments',
    summary: 'Hold 19.99 EUR, to be captured when the goods leave',
    path: '/v1/payments',
    headers: { 'Idempotency-Key': 'order-2', Prefer: 'wait=20' },
    body: { ...order, capture_mode: 'manual' },
    status: 201,
    names: 'hold',
  },
  {
    route: 'POST /v1/payments/:id/capture',
    summary: 'Take a part of it; the rest is released',
    path: '/v1/payments/{hold}/capture',
    headers: { 'Idempotency-Key': 'capture-2', Prefer: 'wait=20' },
    body: { amount: 1200 },
    status: 201,
  },
  {
    route: 'POST /v1/payments',
    summary: 'Hold another amount',
    path: '/v1/payments',
    headers: { 'Idempotency-Key': 'order-3', Prefer: 'wait=20' },
    body: { ...order, capture_mode: 'manual' },
    status: 201,
    names: 'other',
  },
  {
    route: 'POST /v1/payments/:id/cancel',
    summary: 'Let it go',
    path: '/v1/payments/{other}/cancel',
    headers: { 'Idempotency-Key': 'cancel-3', Prefer: 'wait=20' },
    body: {},
    status: 201,
  },
  {
    route: 'GET /v1/accounts',
    summary: 'Accounts that hold euros',
    path: '/v1/accounts?currency=EUR&limit=10',
    status: 200,
  },
  {
    route: 'GET /v1/accounts/:id',
    summary: 'What a merchant is owed',
    path: '/v1/accounts/merchant:mer_books:payable',
    status: 200,
  },
  { route: 'GET /v1/trial-balance', summary: 'Whether the books add up', path: '/v1/trial-balance', status: 200 },
  {
    route: 'POST /v1/fx/rates',
    summary: 'Say what a euro was worth on a day',
    path: '/v1/fx/rates',
    body: { source: 'treasury', rates: [{ base: 'EUR', currency: 'USD', day: '2026-01-05', rate: '1.0812' }] },
    status: 200,
  },
  { route: 'GET /v1/fx/rates', summary: 'The rates of a day', path: '/v1/fx/rates?at=2026-01-06', status: 200 },
  {
    route: 'POST /v1/accounts',
    summary: 'Open an account that takes any currency',
    path: '/v1/accounts',
    body: { id: 'wallet:ada', type: 'liability' },
    status: 201,
  },
  {
    route: 'POST /v1/accounts',
    summary: 'Open an account that never falls below nothing',
    path: '/v1/accounts',
    body: { id: 'wallet:bob', type: 'liability', currency: 'EUR', floor: 0, metadata: { name: 'Bob' } },
    status: 201,
  },
  {
    route: 'POST /v1/ledger/entries',
    summary: 'Book 10 EUR into it',
    path: '/v1/ledger/entries',
    body: {
      id: 'topup-1',
      purpose: 'topup',
      transfers: [{ debit: 'wallet:ada', credit: 'wallet:bob', amount: 1000, currency: 'EUR' }],
    },
    status: 201,
  },
  {
    route: 'POST /v1/ledger/holds',
    summary: 'Set 7 EUR of it aside',
    path: '/v1/ledger/holds',
    body: { id: 'hold-1', debit: 'wallet:bob', credit: 'wallet:ada', amount: 700, currency: 'EUR' },
    status: 201,
  },
  {
    route: 'POST /v1/ledger/holds/:id/post',
    summary: 'Book 5 of them; the rest is free again',
    path: '/v1/ledger/holds/hold-1/post',
    body: { id: 'post-1', amount: 500 },
    status: 201,
  },
  {
    route: 'GET /v1/accounts/:id/statement',
    summary: 'How its balance came to be',
    path: '/v1/accounts/wallet:bob/statement?currency=EUR',
    status: 200,
  },
  {
    route: 'POST /v1/ledger/conversions',
    summary: 'Turn 10.01 EUR into dollars, at the rate of the day',
    path: '/v1/ledger/conversions',
    body: {
      id: 'conversion-1',
      debit: 'wallet:ada',
      credit: 'wallet:ada',
      currency: 'EUR',
      amount: 1001,
      to_currency: 'USD',
      effective_at: '2026-01-06T09:30:00Z',
    },
    status: 201,
  },
  {
    route: 'GET /v1/ledger/conversions/:id',
    summary: 'What was converted, by which rate, and what rounding left',
    path: '/v1/ledger/conversions/conversion-1',
    status: 200,
  },
  {
    route: 'POST /v1/ledger/revaluations',
    summary: 'Book what the position in dollars has gained by the end of a day',
    path: '/v1/ledger/revaluations',
    body: { day: '2026-01-07', base: 'EUR' },
    status: 200,
  },
  {
    route: 'GET /v1/trial-balance',
    summary: 'The books of a day, in euros too',
    path: '/v1/trial-balance?effective_at=2026-01-07T23:59:59Z&in=EUR',
    status: 200,
  },
  {
    route: 'GET /v1/events',
    summary: 'Everything that happened to payments, from the beginning',
    path: '/v1/events?type=payment.*&limit=10',
    status: 200,
  },
  {
    route: 'GET /v1/events',
    summary: 'The same as it happens',
    path: '/v1/events?type=payment.*',
    headers: { Accept: 'text/event-stream' },
    status: 200,
  },
  {
    route: 'POST /v1/webhook-endpoints',
    summary: 'Be told of payouts; the answer holds the signing secret',
    path: '/v1/webhook-endpoints',
    body: { url: 'https://example.com/webhooks', events: ['payout.*'], description: 'The accounts department' },
    status: 201,
    names: 'endpoint',
  },
  {
    route: 'GET /v1/webhook-endpoints',
    summary: 'Who is told, and how each fares',
    path: '/v1/webhook-endpoints',
    status: 200,
  },
  {
    route: 'GET /v1/webhook-endpoints/:id/events',
    summary: 'Pull messages that you may have missed',
    path: '/v1/webhook-endpoints/{endpoint}/events?after=0&limit=100',
    status: 200,
  },
  {
    route: 'GET /v1/webhook-endpoints/:id/attempts',
    summary: 'What was sent, and what your receiver answered',
    path: '/v1/webhook-endpoints/{endpoint}/attempts',
    status: 200,
  },
  {
    route: 'POST /v1/webhook-endpoints/:id/rotate-secret',
    summary: 'Replace the signing secret; both sign for an hour',
    path: '/v1/webhook-endpoints/{endpoint}/rotate-secret',
    body: { overlap_seconds: 3600 },
    status: 200,
  },
  {
    route: 'POST /v1/webhook-endpoints/:id/replay',
    summary: 'Have everything since a time sent once more',
    path: '/v1/webhook-endpoints/{endpoint}/replay',
    body: { since: '2026-11-21T09:30:00Z' },
    status: 202,
  },
  {
    route: 'PATCH /v1/webhook-endpoints/:id',
    summary: 'Stop sending for now',
    path: '/v1/webhook-endpoints/{endpoint}',
    body: { status: 'disabled' },
    status: 200,
  },
  {
    route: 'DELETE /v1/webhook-endpoints/:id',
    summary: 'Take it away',
    path: '/v1/webhook-endpoints/{endpoint}',
    status: 204,
  },
  {
    route: 'DELETE /v1/customers/:customer/personal-data',
    summary: 'Forget a person',
    path: '/v1/customers/ada%40example.com/personal-data',
    status: 200,
  },
]
