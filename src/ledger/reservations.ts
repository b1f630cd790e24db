import { canonicalJson, type Json } from '#kernel/canonical'
import type { Clock } from '#kernel/clock'
import type { Digest } from '#kernel/digest'
import { invariant } from '#kernel/invariant'
import type { Whose } from './book-sql.ts'
import type { Command, LedgerRefusal } from './command.ts'
import type { Desk } from './desk.ts'
import type { Asked } from './facts.ts'

/** One thing that a module reserves for; asked for again under its key, it is done once. */
export type Named = Whose & {
  /** The module's own, as in `pay_1`: letters, digits, `_`, `.`, `:` and `-`, up to 100. */
  readonly key: string
  /** What it follows from: the event that is handled. */
  readonly cause: Asked
}

export type Reservation = Named & {
  /** What kind of hold it is, as in `agent_budget`. */
  readonly purpose: string
  readonly debit: string
  readonly credit: string
  /** Minor units, above zero. */
  readonly amount: bigint
  readonly currency: string
  /** Unix milliseconds. A module that is never heard of again must not hold it for ever. */
  readonly expiresAt: number
}

export type ReservationOutcome =
  /** `hold` is its id in the facts `ledger.hold_placed` and `ledger.hold_ended`; `entry` what it was posted as. */
  | {
      readonly status: 'done'
      readonly hold: string
      readonly entry: string | undefined
      readonly isRepeated: boolean
    }
  | { readonly status: 'refused'; readonly refusal: LedgerRefusal }

/**
 * Amounts that another module sets aside, and then posts or lets go. Each call is a transaction of its own, and is committed
 * when it resolves: a decider that calls it, and whose own transaction is then lost, is handed its event again, calls
 * again, and gets the same outcome. A refusal changes nothing, and may be another the next time.
 */
export type Reservations = {
  reserve(asked: Reservation): Promise<ReservationOutcome>
  /** All of it, or a part; the rest is released. */
  post(asked: Named & { readonly amount?: bigint }): Promise<ReservationOutcome>
  /** The undo: refused as `hold_unknown` where nothing was reserved, as `hold_ended` where it was posted. */
  void(asked: Named): Promise<ReservationOutcome>
}

const KEY = /^[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}$/

/** Those of one module: its name is in every id, so that no two modules, and no caller, can mean the same hold. */
export function createReservations(
  { desk, clock, digest }: { readonly desk: Desk; readonly clock: Clock; readonly digest: Digest },
  module: string,
): Reservations {
  const submit = async (
    { tenant, mode, cause }: Named,
    hold: string,
    command: Command,
  ): Promise<ReservationOutcome> => {
    const { traceparent, id, correlationId } = cause
    const asked = { traceparent, ...(id === undefined ? {} : { id }), ...(correlationId ? { correlationId } : {}) }
    const [outcome] = await desk.submit({ tenant, mode, ...asked, commands: [command], isLinked: false })
    invariant(outcome, 'the desk answers every command')
    if (outcome.status === 'refused') return outcome
    return { status: 'done', hold, entry: outcome.entry, isRepeated: outcome.isRepeated }
  }
  const holdOf = (key: string): string => {
    invariant(KEY.test(key), 'a reservation has a key that can be part of an id')
    return `${module}/${key}`
  }
  // Times are not in it: what is asked again is asked later.
  const fingerprintOf = ({ tenant, mode }: Whose, about: Json): string =>
    digest('ledger-reservation', tenant, mode, canonicalJson(about))

  return {
    reserve(asked) {
      const { key, purpose, debit, credit, amount, currency, expiresAt } = asked
      const id = holdOf(key)
      const fingerprint = fingerprintOf(asked, { id, purpose, debit, credit, amount: `${amount}`, currency })
      const transfer = { debit, credit, amount, currency }
      return submit(asked, id, { kind: 'hold', id, fingerprint, purpose, transfer, conditions: [], expiresAt })
    },
    post(asked) {
      const hold = holdOf(asked.key)
      const fingerprint = fingerprintOf(asked, { hold, amount: asked.amount === undefined ? null : `${asked.amount}` })
      const about = { id: `${hold}/post`, fingerprint, hold, amount: asked.amount, effectiveAt: clock.now() }
      return submit(asked, hold, { kind: 'hold_post', ...about })
    },
    void(asked) {
      const hold = holdOf(asked.key)
      const fingerprint = fingerprintOf(asked, { hold })
      return submit(asked, hold, { kind: 'hold_void', id: `${hold}/void`, fingerprint, hold, isExpiry: false })
    },
  }
}
