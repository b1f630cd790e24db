/** What a decision needs from elsewhere. */
export type DecidePorts = {
  /** The gateway account that executes a payment; undefined when none is configured for it. */
  route(request: { tenant: string; mode: string; currency: string }): string | undefined
  /** Whether a gateway account can be called, and so be asked. */
  isCallable(account: string): boolean
  /** Names an operation: f(payment, operation, key). */
  operationId(payment: string, call: string, key: string): string
}

export type RiskVerdict = { readonly score: number; readonly reasons: readonly string[]; readonly isRefused: boolean }

export type PaymentsPorts = DecidePorts & {
  /** Scores a request anew whose verdict is too old. Fails closed: it resolves with a refusal where it cannot tell. */
  assess(request: {
    tenant: string
    merchant: string
    customer: string | undefined
    amount: number
    currency: string
  }): Promise<RiskVerdict>
}
