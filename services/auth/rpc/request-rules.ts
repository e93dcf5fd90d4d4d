import { create, type DescService } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import { createValidator, ValidationError } from "@bufbuild/protovalidate";
import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { createValidateInterceptor } from "@connectrpc/validate";
import { invalid } from "../refusal.ts";

/**
 * Refuses requests that break a rule of their message in proto/. The refusal names the field and what
 * it must be, and nothing else: no rule id and no details.
 */
export function createRequestRules(services: readonly DescService[]): Interceptor {
  const validator = createValidator({ failFast: true });
  // Compiles the rules of each message now; otherwise the first request would wait for that.
  for (const { input } of services.flatMap(({ methods }) => methods)) {
    validator.validate(input, create(input));
  }
  const validate = createValidateInterceptor({ validator });
  return (next) => {
    const validated = validate(next);
    return async (request) => {
      try {
        return await validated(request);
      } catch (error) {
        if (error instanceof ConnectError && error.cause instanceof ValidationError) {
          throw refusalOf(error.cause);
        }
        throw error;
      }
    };
  };
}

function refusalOf({ violations: [violation], message }: ValidationError): ConnectError {
  if (violation === undefined) return new ConnectError(message, Code.InvalidArgument);
  const field = pathToString(violation.field);
  // The rule of a whole message names the field itself.
  if (field === "") return new ConnectError(violation.message, Code.InvalidArgument);
  return invalid(field, violation.message);
}
