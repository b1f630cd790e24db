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

/** What most examples pay. */
export const order = { amount: 1999, currency: 'EUR', merchant: 'mer_books', payment_method: 'pm_sim_approve' }
