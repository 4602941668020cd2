/* Changing an XML answer that the simulator itself has written: elements without attributes, no comments. */
#ifndef TESTS_SIMULATOR_FAULT_XML_H
#define TESTS_SIMULATOR_FAULT_XML_H

#include "tests/simulator/call.h"

enum swp_sim_xml_change {
	SWP_SIM_XML_REMOVE,
	SWP_SIM_XML_EMPTY,
	SWP_SIM_XML_RETYPE,
};

/* Changes every element at the path: names with dots between; [] and [N] are taken for the name alone. */
void swp_sim_xml_change(struct swp_sim_call *call, struct swp_sim_text path, enum swp_sim_xml_change change);
/* Puts text at the end of every element whose name tells that it is a name or an ARN. */
void swp_sim_xml_append_to_names(struct swp_sim_call *call, const char *text);

#endif
