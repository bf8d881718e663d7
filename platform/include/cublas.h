// Included by the historic sources, which use nothing of it (spec 6.1): ahead of any real one, it brings nothing.
#pragma once
