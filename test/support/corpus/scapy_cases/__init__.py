# SPDX-License-Identifier: Apache-2.0
"""The packets of the corpus, one module a theme, built by scapy from the RFCs and never from the filter's code."""
