import type { Claim } from './conformance/engine.ts'
import { eventClaims } from './conformance/events.ts'
import { orderClaims } from './conformance/order.ts'
import { parkingClaims } from './conformance/parking.ts'
import { timerClaims } from './conformance/timers.ts'
import { upgradeClaims } from './conformance/upgrade.ts'
import { zombieClaims } from './conformance/zombies.ts'

/** What a log is, whatever it is made of. An engine that keeps these promises can carry the platform. */
export const conformance: readonly Claim[] = [
  ...orderClaims,
  ...zombieClaims,
  ...parkingClaims,
  ...timerClaims,
  ...eventClaims,
  ...upgradeClaims,
]
