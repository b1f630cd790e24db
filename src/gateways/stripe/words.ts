/**
 * Whether a code or an event type is made of nothing but words that Stripe's own are made of. A shape alone does not do:
 * a secret or a name in lower case has the shape of a code. What is not known here is in the sealed body.
 */
export function areKnownWords(text: string): boolean {
  return text.split(/[._]/).every((word) => words.has(word))
}

/** Of https://docs.stripe.com/api/events/types. */
const inEventTypes = `
  aborted accepted account action activated active advancing alert amount application applied apps arrival async
  attached attempt attributes authentication authorization authorized automatically available balance be billing
  canceled capability capturable captured card cardholder cash challenge charge chargeable checkout climate clock
  closed code completed configuration connections core coupon created credit customer d date deactivated
  deactivation deauthorized debit delayed deleted delivered design detached details disabled disconnected discount
  dispute due early end entitlement entitlements errored expected expired expiring expiry external failed failure
  features fee file finalization finalized financial fraud funded funds grant granted helpers hold id identity
  inbound initial input install intent internal invoice invoiceitem issuing link list mandate marked meter method
  note notification number numbers opened order outbound overdue overpaid ownership paid partially paused payment
  payout pending person personalization plan portal posted price pricing processing product promotion purchase
  query quote radar rate reactivated reader ready receipt received reconciliation redacted refreshed refund
  refunded reinstated rejected release released report reporting request required requires rescinded reserve
  resumed returned reversal reversed review run schedule scheduled secure sent session settings setup sigma source
  started status submission submitted subscription substituted succeeded summary supported tax terminal test three
  token topup tracking transaction transactions transfer treasury trial triggered type types uncollectible
  upcoming update updated v1 v2 verification verified voided warning will withdrawn`

/** Of https://docs.stripe.com/declines/codes, /error-codes, and the reasons of refunds, disputes and payouts. */
const inCodes = `
  address advice after again all allowed already api approval approve approved as authenticate authorizations bank
  blacklist by call cannot capture check class codes confirm contact could count country credentials currency cvc
  data decline declined disputable do duplicate elevated empty error exceeded existing exp fix fraudulent frozen
  gateway general generic hard highest holder honor idempotency in incompatible incorrect information initiated
  instant insufficient integer invalid issuer key large later level limit livemode locked lost maximum merchant
  minimum mismatch missing month name network new no noncompliant not of offline on online or parameter parameters
  payouts permitted pickup pin postal process processed provider reenter refused resource restricted retry
  revocation reused risk rule security service small soft state stolen stop string taken testmode timeout too try
  unacceptable unactivated unexpected unknown unreceived unrecognized unsupported url usage use velocity violation
  with withdrawal year zip`

const words: ReadonlySet<string> = new Set(`${inEventTypes} ${inCodes}`.trim().split(/\s+/))
