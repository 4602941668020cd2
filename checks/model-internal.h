/* Between the files that build the model; nobody else includes it. */
#ifndef SWP_CHECKS_MODEL_INTERNAL_H
#define SWP_CHECKS_MODEL_INTERNAL_H

#include "checks/model.h"

struct swp_builder {
	struct swp_catalogue *catalogue;
	struct swp_lint *lint;
};

/* Each: 0, also when faults were told; -ENOMEM. */
int swp_model_build_services(struct swp_builder *builder);
int swp_model_build_resources(struct swp_builder *builder);
int swp_model_build_checks(struct swp_builder *builder);

/* Section `name` of the document; an empty object when there is none. */
const json_t *swp_builder_section(const struct swp_builder *builder, const char *name);
/* The keys of an object, bytewise sorted, in the catalogue's region; NULL on -ENOMEM (never for an empty object). */
const char **swp_builder_keys(const struct swp_builder *builder, const json_t *object, size_t *ret_count);
/* Same, tells an unknown name with the nearest of `object`'s keys. */
void swp_builder_unknown(const struct swp_builder *builder, const json_t *container, const char *key,
	const char *what, const char *word, const json_t *object);
struct swp_service *swp_builder_service(const struct swp_builder *builder, const char *name);
/* Member `operation` of `row`, of the service that its member `service` names or else of `service`. NULL: told. */
const struct swp_operation *swp_builder_operation(
	const struct swp_builder *builder, const json_t *row, struct swp_service *service);
/* Faults of expressions and predicates are told with this compiler. */
struct swp_compiler swp_builder_compiler(
	const struct swp_builder *builder, const char *const *roots, size_t root_count);
/* 0 and -ENOMEM pass; what was told (1) becomes 0. */
static inline int swp_told(int r)
{
	return r > 0 ? 0 : r;
}

#endif
