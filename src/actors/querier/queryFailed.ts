/** How a query fails. */
import { Schema } from "effect";

/** Timeout: query_timeout passed. TooLarge: the answer or what it reads exceeds a limit. Refused: the
 *  data, or a limit, shows the query to be wrong. Busy: too many queries wait. Unavailable: a partition
 *  is recovering; try again. Failed: storage said no. Cancelled: someone ended the query. Moved: a segment
 *  that it had chosen is gone; the index knows where its rows are. GaveWay: others needed the memory
 *  that it held; it may begin again. */
export class QueryFailed extends Schema.TaggedError<QueryFailed>()("QueryFailed", {
  reason: Schema.Literals([
    "Timeout",
    "TooLarge",
    "Refused",
    "Busy",
    "Unavailable",
    "Failed",
    "Cancelled",
    "Moved",
    "GaveWay",
  ]),
  message: Schema.String,
}) {}
