/** `never`: the caller is left waiting. */
export type Answer = WrittenAnswer | 'never'

export type WrittenAnswer = {
  readonly status: number
  /** As it is sent: an answer kept for its key must not change with the object. */
  readonly body: string
  /** `application/json` where it does not say otherwise. */
  readonly type?: string
  readonly retryAfterSeconds?: number
}

export function json(status: number, value: unknown): WrittenAnswer {
  return { status, body: JSON.stringify(value) }
}

/** An error as Stripe words it. */
export function problem(status: number, code: string, about: { message?: string; param?: string } = {}): WrittenAnswer {
  const type = status >= 500 ? 'api_error' : status === 429 ? 'rate_limit_error' : 'invalid_request_error'
  const param = about.param === undefined ? {} : { param: about.param }
  return json(status, { error: { type, code, message: about.message ?? code, ...param } })
}
