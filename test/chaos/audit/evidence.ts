// What the auditor goes by: what clients were told, what the outside truly did, and what the platform says now. All of
// it is data, so that a test can doctor it.

/** A payment that was asked for over the API, and answered with a 2xx. */
export type AskedPayment = {
  readonly n: number
  readonly id: string
  readonly amount: number
  readonly currency: string
  readonly traceId: string
  /** Unix milliseconds of the first 2xx. */
  readonly acceptedAt: number
  /** Ids that repetitions under the same key were answered with. */
  readonly repeated: readonly string[]
}

/** A capture, cancellation or refund that was answered with a 2xx. */
export type AskedOperation = {
  readonly id: string
  readonly payment: string
  readonly call: 'capture' | 'cancel' | 'refund'
  /** Undefined: all there was. */
  readonly amount: number | undefined
}

/** A payment that a gateway told of; all its webhooks were answered with a 2xx. Amounts are what they said. */
export type ReportedPayment = {
  readonly intent: string
  readonly captured: number
  readonly refunded: number
  readonly traceId: string
}

/** What the gateway holds under one reference of ours, or under an intent that began with it. */
export type GatewayPayment = {
  readonly reference: string
  /** Authorized or captured: more than one is money taken twice. */
  readonly charges: number
  readonly status: string
  readonly currency: string
  readonly captured: number
  readonly refunded: number
  readonly refunds: readonly { readonly operation: string; readonly amount: number }[]
}

export type GatewayState = {
  /** By currency, minor units. */
  readonly balances: Readonly<Record<string, number>>
  /** Webhooks that it tried to deliver until it gave up. */
  readonly givenUp: number
}

/** A payment as the platform has it in its tables, and what the ledger booked for it. */
export type KnownPayment = {
  readonly id: string
  /** Asked for over the API; else it began at a gateway. */
  readonly isOurs: boolean
  readonly status: string
  /** Objects of gateways that were placed on it; intents among them. */
  readonly intents: readonly string[]
  readonly captured: number
  readonly refunded: number
}

export type KnownOperation = {
  readonly id: string
  readonly payment: string
  readonly call: string
  readonly status: string
}

/** What a merchant's server remembers. */
export type ReceiverStory = {
  readonly name: string
  /** Patterns it asked for. */
  readonly types: readonly string[]
  readonly different: number
  readonly repeated: number
  readonly changed: number
  readonly failed: number
  readonly forged: number
  readonly highest: number
  readonly missing: readonly number[]
  /** Ids of the events told of each payment, in the order in which they were first accepted. */
  readonly told: Readonly<Record<string, readonly string[]>>
}

/** Ids of the events told of each payment, in the order in which they were told. */
export type Told = ReadonlyMap<string, readonly string[]>

/** Facts of one payment on the log, in order. */
export type LoggedFacts = ReadonlyMap<string, readonly { readonly id: string; readonly type: string }[]>

/** An entry of a payment, and the way back from it to what began it. */
export type TracedEntry = {
  readonly entry: string
  readonly payment: string
  readonly traceId: string
  /** From the event that was booked to the one without a cause; cut short where one is missing. */
  readonly chain: readonly { readonly type: string; readonly traceId: string; readonly hasCause: boolean }[]
}

export type Evidence = {
  readonly asked: readonly AskedPayment[]
  readonly operations: readonly AskedOperation[]
  readonly reported: readonly ReportedPayment[]
  /** By reference: our payment ids and the intents that began there. */
  readonly gateway: ReadonlyMap<string, GatewayPayment>
  readonly known: ReadonlyMap<string, KnownPayment>
  readonly knownOperations: ReadonlyMap<string, KnownOperation>
  readonly log: LoggedFacts
  readonly receivers: readonly ReceiverStory[]
  /** By server-sent events. */
  readonly followed: Told
  readonly traced: readonly TracedEntry[]
  /** Whose clock was so far off, and when, that a payment accepted then may have expired. Unix milliseconds. */
  readonly wrongClocks: readonly { readonly from: number; readonly to: number }[]
  /** Answers that clients should not have got, a sentence each. */
  readonly broken: readonly string[]
  /** What was found by asking about all of it at once. */
  readonly whole: readonly Finding[]
}

/** A promise that was broken, and by what one sees it. */
export type Finding = { readonly promise: string; readonly claim: string; readonly evidence: readonly string[] }
