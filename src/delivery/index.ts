export { type DeliveryContext, startDeliverer } from './deliverer.ts'
export { type Destination, deliveryGroup, type Idempotency, type Outcome } from './destination.ts'
export { type Delivery, enqueue } from './sql.ts'
