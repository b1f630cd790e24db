import type { Clock } from '#kernel/clock'
import type { Random } from '#kernel/random'
import { type Bank, BankRefusal, createBank, type Limits } from './bank.ts'
import { createFates } from './fates.ts'
import { type Move, perform } from './moves.ts'
import type { Dispute, Done, Intent, Payout, ProducedEvent, Refund } from './objects.ts'
import { type ApiRequest, type ApiResult, handleApi } from './routes.ts'
import type { Scenario } from './scenario.ts'
import { createSchedule } from './schedule.ts'
import { createAdvancingClock } from './time.ts'

type Thing = Intent | Refund | Dispute | Payout

/** The gateway's world in time: a bank, what calls to it come to, and what happens later by itself. No network. */
export type Simulation = {
  readonly bank: Bank
  /** The gateway's own clock: as `clock` says, and what it was set forward. */
  readonly clock: Clock
  handle(request: ApiRequest): ApiResult
  /** Makes something happen at the gateway. @throws BankRefusal */
  move(move: Move, target: string | undefined): Thing[]
  /** Tells of what happened, and sees to what follows. */
  tell<Object extends Thing>(done: Done<Object>): Object
  /** Sets the clock forward; what becomes due happens before this returns. */
  advance(ms: number): void
  /** How many things are to happen, and how many could not: a dispute of a declined payment, or one too many to wait. */
  followUps(): { waiting: number; impossible: number }
  stop(): Promise<void>
}

export type SimulationOptions = {
  readonly clock: Clock
  readonly random: Random
  readonly feeBasisPoints: number
  readonly scenario: Scenario
  readonly limits: Partial<Limits> | undefined
  readonly challengeUrl: (intent: string) => string
  /** Called with the events of everything that did not happen in an answer. */
  readonly announce: (events: readonly ProducedEvent[]) => void
}

export function createSimulation({ announce, scenario, random, ...options }: SimulationOptions): Simulation {
  const clock = createAdvancingClock(options.clock)
  const bank = createBank({ ...options, clock, random })
  const decide = createFates({ clock, random, scenario })
  const schedule = createSchedule(clock)
  let [moves, impossible] = [0, 0]

  const tell = <Object extends Thing>({ object, events }: Done<Object>): Object => {
    announce(events)
    if (events[0]?.type === 'charge.dispute.created') expireLater(object.id)
    return object
  }
  const expireLater = (dispute: string): void => {
    const dueMs = dueByOf(bank, dispute) * 1000
    schedule.at(dueMs, () => {
      const done = bank.under(`due ${dispute}`, () => bank.expireDispute(dispute))
      if (done !== undefined) tell(done)
    })
  }
  const move = (what: Move, target: string | undefined, origin: string): Thing[] =>
    bank.under(origin, () => perform(what, target, bank)).map(tell)

  const payOutLater = (everyMs: number, turn: number): void => {
    schedule.at(clock.now() + everyMs, () => {
      move({ do: 'pay_out' }, undefined, `payout ${turn}`)
      payOutLater(everyMs, turn + 1)
    })
  }
  if (scenario.payouts !== undefined) payOutLater(scenario.payouts.every_ms, 1)

  const followLater = ({ behaviour, object }: ApiResult, origin: string): void => {
    for (const [place, { afterMs, move: what }] of behaviour.followUps.entries()) {
      const isTaken = schedule.at(clock.now() + afterMs, () => {
        try {
          move(what, object, `${origin} then ${place}`)
        } catch (error) {
          if (!(error instanceof BankRefusal)) throw error
          impossible += 1
        }
      })
      if (!isTaken) impossible += 1
    }
  }

  return {
    bank,
    clock,
    handle(request) {
      const result = handleApi(request, bank, decide)
      followLater(result, request.origin ?? '')
      return result
    },
    move(what, target) {
      moves += 1
      return move(what, target, `move ${moves}`)
    },
    tell,
    advance(ms) {
      const targetMs = clock.now() + ms
      // Each thing happens at its time, so that what it leads to is due as long after it as ever.
      for (let dueMs = schedule.nextMs(); dueMs !== undefined && dueMs <= targetMs; dueMs = schedule.nextMs()) {
        clock.advance(Math.max(0, dueMs - clock.now()))
        schedule.runDue()
      }
      clock.advance(Math.max(0, targetMs - clock.now()))
    },
    followUps: () => ({ waiting: schedule.waiting(), impossible }),
    stop: schedule.stop,
  }
}

function dueByOf(bank: Bank, id: string): number {
  const dispute = bank.folder(id)?.disputes.find((candidate) => candidate.id === id)
  return dispute?.evidence_details.due_by ?? 0
}
