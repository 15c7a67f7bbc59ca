(set-logic ALL)
(assert (and true true (not (= (and true (and (not false) true)) true))))
(check-sat)
