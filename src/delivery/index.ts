export { deliveryGroup } from '#log'
export { type AttemptReport, startDeliverer, startFleet } from './deliverer.ts'
export { attemptSpan, type Destination, type Fleet, type Outcome } from './destination.ts'
export { type AttemptRow, attemptsBelow, cancel, type Delivery, enqueue, forget, hasten } from './sql.ts'
